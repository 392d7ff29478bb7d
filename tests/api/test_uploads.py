"""Pictures to work from over HTTP: brought along, taken from the gallery, looked at, named in a job."""

from __future__ import annotations

import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image

from api.security import MAX_BODY
from api.uploads import PREFIX
from pipeline.events import SavedImage
from pipeline.pictures.store import input_id
from pipeline.studio import Studio
from tests.pictures.samples import file, noisy, png_header, shaded

HEX = "a" * 64


def brought(client: TestClient, image: Image.Image, wanted: str = "image") -> str:
    answer = client.post(PREFIX, params={"as": wanted}, content=file(image))
    assert answer.status_code == 201
    return str(answer.json()["id"])


def refused(answer: Response, status: int, field: str | None) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["field"] == field
    assert told["detail"]
    return told


def test_a_picture_is_brought_along_once_and_comes_back_pixel_for_pixel(client: TestClient) -> None:
    answer = client.post(PREFIX, content=file(noisy()), headers={"Content-Type": "image/png"})
    assert answer.status_code == 201
    assert answer.json() == {"id": input_id(noisy()), "width": 64, "height": 48, "notes": []}
    assert client.post(PREFIX, content=file(noisy(), "BMP")).json() == answer.json()

    back = client.get(f"{PREFIX}/{answer.json()['id']}")
    assert (back.status_code, back.headers["Content-Type"]) == (200, "image/png")
    assert "immutable" in back.headers["Cache-Control"]
    assert back.headers["X-Content-Type-Options"] == "nosniff"
    assert Image.open(io.BytesIO(back.content)).tobytes() == noisy().tobytes()


def test_the_edges_of_a_picture_become_a_map_that_is_named_in_a_job(client: TestClient, image: SavedImage) -> None:
    size = {"width": 64, "height": 64}
    answer = client.post(PREFIX, params={"as": "edges"} | size, content=file(shaded()))
    assert answer.status_code == 201
    of_result = client.post(f"{PREFIX}/from-image/{image.id}", params={"as": "edges", "low": 0.1, "high": 0.4})
    assert of_result.json()["id"].endswith("-64x64")
    refused(client.post(PREFIX, params={"as": "edges", "low": 3, "high": 1}, content=file(shaded())), 422, None)
    controls = [{"net": "nowhere", "image": answer.json()["id"]}]
    job = client.post("/api/v1/jobs", json={"prompt": "a house", "controls": controls})
    assert "There is no ControlNet named “nowhere”" in refused(job, 404, "controls")["detail"]


def test_what_was_done_to_a_picture_is_told(client: TestClient) -> None:
    clear = shaded().convert("RGBA")
    clear.putalpha(128)
    assert client.post(PREFIX, content=file(clear)).json()["notes"] == ["Its transparent parts are white now."]


def test_a_picture_may_be_larger_than_other_bodies(client: TestClient) -> None:
    data = file(noisy(800, 600), "BMP")
    assert len(data) > MAX_BODY
    assert client.post(PREFIX, content=data).status_code == 201


def test_a_mask_is_brought_along_as_one(client: TestClient, studio: Studio) -> None:
    mask = brought(client, shaded(), "mask")
    assert studio.inputs.get(mask).mode == "L"
    refused(client.post(PREFIX, params={"as": "sketch"}, content=file(shaded())), 422, "as")


def test_a_picture_of_the_gallery_is_taken_under_the_hash_in_its_recipe(client: TestClient, image: SavedImage) -> None:
    answer = client.post(f"{PREFIX}/from-image/{image.id}")
    assert answer.status_code == 201
    assert answer.json()["id"] == f"{image.recipe.sha256}-64x64"
    refused(client.post(f"{PREFIX}/from-image/0123456789abcdef"), 404, None)


@pytest.mark.parametrize(
    "data",
    [b"", b"a text", b"<svg/>", file(noisy())[:4000], png_header(60_000, 60_000), file(Image.new("RGB", (1, 1)))],
    ids=["empty", "text", "svg", "cut off", "bomb", "one pixel"],
)
@pytest.mark.parametrize("wanted", ["image", "mask"])
def test_what_cannot_be_worked_from_is_refused_and_not_kept(
    client: TestClient, studio: Studio, data: bytes, wanted: str
) -> None:
    before = set(studio.inputs.folder.glob("*"))
    told = refused(client.post(PREFIX, params={"as": wanted}, content=data), 422, "file")
    assert told["code"] == "invalid_request"
    assert told["remedy"]
    assert set(studio.inputs.folder.glob("*")) == before


@pytest.mark.parametrize(
    "name",
    [
        f"{HEX}-64x48",
        f"{HEX}-64x48.png",
        "..%2F..%2Fstudio.db",
        "..%5Cstudio.db",
        "%2Fetc%2Fpasswd",
        "../../../../etc/passwd",
        f"{HEX}-8x8%00",
        f"{HEX}-8x8%0A",
        "studio.db",
        "%F0%9F%90%88",
    ],
)
def test_no_id_leads_to_another_file(client: TestClient, name: str) -> None:
    answer = client.get(f"{PREFIX}/{name}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.fixture
def picture(client: TestClient) -> str:
    return brought(client, noisy(64, 64))


@pytest.mark.parametrize(("gray", "sentence"), [(0, "empty"), (255, "whole picture")])
def test_a_job_with_a_mask_that_means_nothing_is_not_queued(
    client: TestClient, picture: str, gray: int, sentence: str
) -> None:
    mask = brought(client, Image.new("L", (64, 64), gray), "mask")
    before = client.get("/api/v1/jobs").json()
    told = refused(client.post("/api/v1/jobs", json={"prompt": "a boat", "image": picture, "mask": mask}), 422, "mask")
    assert sentence in told["detail"]
    assert client.get("/api/v1/jobs").json() == before


def test_a_job_with_a_picture_that_is_not_here_is_not_queued(client: TestClient) -> None:
    job = {"prompt": "a boat", "image": f"{HEX}-64x64"}
    assert "once more" in refused(client.post("/api/v1/jobs", json=job), 404, "image")["remedy"]


def test_a_job_that_names_a_picture_otherwise_is_refused(client: TestClient) -> None:
    for name in ("/etc/passwd", "picture.png", f"{HEX}-8x8/..", "https://example.org/a.png"):
        told = refused(client.post("/api/v1/jobs", json={"prompt": "a boat", "image": name}), 422, "image")
        assert told["code"] == "invalid_request"


def test_a_page_from_elsewhere_brings_nothing_along_and_the_token_is_asked_for(
    client: TestClient, guarded: TestClient
) -> None:
    foreign = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    assert client.post(PREFIX, content=file(noisy()), headers=foreign).status_code == 403
    assert guarded.post(PREFIX, content=file(noisy())).status_code == 401
    assert guarded.get(f"{PREFIX}/{input_id(noisy())}").status_code == 401
