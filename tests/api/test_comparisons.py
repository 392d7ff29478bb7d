"""Comparisons over HTTP: start, look, stop, go on, take away."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image

from pipeline.compare.sheet import read_comparison
from pipeline.events import Step
from pipeline.studio import Studio

URL = "/api/v1/comparisons"


def start(client: TestClient, values: list[Any], field: str = "num_inference_steps", **base: Any) -> Response:
    fields = {"prompt": "a red house", "num_inference_steps": 1} | base
    return client.post(URL, json={"base": fields, "columns": {"field": field, "values": values}})


def finished(client: TestClient, studio: Studio, **more: Any) -> dict[str, Any]:
    """A comparison of two pictures that are made."""
    state = start(client, [1, 2], **more).json()
    for cell in state["cells"]:
        studio.job(cell["job"]["id"]).result()
    found: dict[str, Any] = client.get(f"{URL}/{state['id']}").json()
    return found


def test_a_comparison_is_accepted_followed_and_found(client: TestClient, studio: Studio) -> None:
    accepted = start(client, ["1", 2])
    assert accepted.status_code == 202
    state = accepted.json()
    assert accepted.headers["Location"] == f"{URL}/{state['id']}"
    assert state["comparison"]["columns"]["values"] == [1, 2]
    for cell in state["cells"]:
        studio.job(cell["job"]["id"]).result()
    state = client.get(f"{URL}/{state['id']}").json()
    assert (state["done"], state["missing"], state["ended"]) == (2, 0, True)
    steps = [cell["job"]["images"][0]["recipe"]["num_inference_steps"] for cell in state["cells"]]
    assert steps == [1, 2]
    assert state in client.get(URL).json()


def test_nobody_learns_whose_a_comparison_is(client: TestClient) -> None:
    client.cookies["darkroom_client"] = "a-browser-s-name"
    state = start(client, [1]).json()
    answers = [client.get(URL), client.get(f"{URL}/{state['id']}"), client.post(f"{URL}/{state['id']}/cancel")]
    assert all("a-browser-s-name" not in answer.text for answer in answers)


def test_a_browser_s_comparison_is_its_own(client: TestClient, studio: Studio) -> None:
    client.cookies["darkroom_client"] = "somebody"
    state = start(client, [1]).json()
    assert [found.id for found in studio.comparisons.newest(client="somebody")] == [state["id"]]


@pytest.mark.parametrize(
    ("body", "detail", "field"),
    [
        ({"base": {"prompt": ""}, "columns": {"field": "seed", "values": [1]}}, "The prompt is empty.", "prompt"),
        ({"base": {"prompt": "a"}}, "The comparison has no columns.", "columns"),
        (
            {"base": {"prompt": "a"}, "columns": {"field": "num_inference_steps", "values": [4, 0]}},
            "Steps cannot be 0.",
            "num_inference_steps",
        ),
        (
            {"base": {"prompt": "a", "width": 65}, "columns": {"field": "num_inference_steps", "values": [4]}},
            "“Steps 4”: Tiny cannot ",
            "width",
        ),
        ({"base": {"prompt": "a"}, "columns": {"field": "prompt", "values": ["b", "c"]}}, "“b” is not in", "prompt"),
        ([], "comparison cannot be []", "comparison"),
    ],
)
def test_what_is_wrong_is_told_with_its_field_and_a_remedy(
    client: TestClient, body: Any, detail: str, field: str
) -> None:
    answer = client.post(URL, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"].startswith(detail)
    assert problem["field"] == field
    assert problem["remedy"]


def test_the_schema_of_the_body_is_documented(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"][URL]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Comparison"}


def test_cancelling_stops_it_and_resuming_goes_on(client: TestClient, studio: Studio) -> None:
    state = start(client, [1, 2], "seed", num_inference_steps=1000).json()
    first = studio.job(state["cells"][0]["job"]["id"])
    next(event for event in first.events() if isinstance(event, Step))
    assert client.post(f"{URL}/{state['id']}/cancel").status_code == 200
    list(first.events())
    cancelled = client.get(f"{URL}/{state['id']}").json()
    assert [cell["job"]["status"] for cell in cancelled["cells"]] == ["cancelled", "cancelled"]
    resumed = client.post(f"{URL}/{state['id']}/resume")
    assert resumed.status_code == 202
    assert {cell["job"]["status"] for cell in resumed.json()["cells"]} <= {"queued", "loading", "running"}
    assert client.delete(f"{URL}/{state['id']}").status_code == 204
    assert client.get(f"{URL}/{state['id']}").status_code == 404


def test_the_sheet_is_shown_and_downloaded_and_asked_for_again_only_when_it_changed(
    client: TestClient, studio: Studio
) -> None:
    state = finished(client, studio)
    url = f"{URL}/{state['id']}/sheet"
    shown = client.get(url)
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["content-disposition"].startswith("inline")
    assert Image.open(io.BytesIO(shown.content)).format == "PNG"
    assert read_comparison(shown.content).model_dump(mode="json") == state["comparison"]
    assert client.get(url, params={"download": 1}).headers["content-disposition"].startswith("attachment")
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    studio.gallery.delete([state["cells"][0]["job"]["images"][0]["id"]])
    assert client.get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 200


def test_the_folder_comes_as_a_zip_and_its_json_makes_the_same_pictures(client: TestClient, studio: Studio) -> None:
    state = finished(client, studio)
    answer = client.get(f"{URL}/{state['id']}/archive")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("comparison.json")]
        body = json.loads(archive.read(name))
    again = client.post(URL, json=body).json()
    for cell in again["cells"]:
        studio.job(cell["job"]["id"]).result()
    again = client.get(f"{URL}/{again['id']}").json()
    for one, other in zip(state["cells"], again["cells"], strict=True):
        assert one["job"]["images"][0]["recipe"]["sha256"] == other["job"]["images"][0]["recipe"]["sha256"]


def test_a_sheet_and_the_json_of_its_folder_are_read_without_starting_anything(
    client: TestClient, studio: Studio
) -> None:
    state = finished(client, studio)
    sheet = client.get(f"{URL}/{state['id']}/sheet").content
    known = len(client.get(URL).json())
    for file in (sheet, json.dumps(state["comparison"]).encode()):
        assert client.post(f"{URL}/read", content=file).json() == state["comparison"]
    assert len(client.get(URL).json()) == known
    assert client.post(f"{URL}/read", content=b"a text").json()["code"] == "invalid_request"


def test_measurements_are_given_against_the_chosen_picture(client: TestClient, studio: Studio) -> None:
    state = finished(client, studio)
    rows = client.get(f"{URL}/{state['id']}/measurements", params={"reference": 1}).json()
    assert [row["reference"] for row in rows] == [False, True]
    assert client.get(f"{URL}/{state['id']}/measurements", params={"reference": 9}).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("GET", "/sheet"),
        ("GET", "/archive"),
        ("GET", "/measurements"),
    ],
)
def test_an_unknown_comparison_is_a_problem(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"{URL}/0123456789abcdef{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_comparisons_are_guarded_like_everything_else(guarded: TestClient) -> None:
    assert guarded.get(URL).status_code == 401
    assert guarded.post(URL, json={}).status_code == 401
