"""Hosted models and their providers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from pipeline.hosted import keys
from pipeline.models.hosted import Provider
from pipeline.settings import Settings
from tests.api.conftest import StillStudio, client_of
from tests.hosted.as_openai import KEY, MODEL, images, refusal
from tests.hosted.conftest import HostedStudio
from tests.hosted.mill import MODEL as WHEEL
from tests.hosted.mill import RECORDS, add_records
from tests.hosted.provider_server import ProviderServer, picture

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def web(make_settings: Callable[..., Settings]) -> Iterator[TestClient]:
    """A client of a studio that makes nothing itself."""
    with HostedStudio(make_settings()) as studio:
        yield client_of(studio)


def test_hosted_models_are_listed_after_the_checkpoints_with_what_to_set(web: TestClient) -> None:
    listed = web.get("/api/v1/models").json()["models"]
    kinds = [model["kind"] for model in listed]
    assert kinds == sorted(kinds)
    [model] = [model for model in listed if model["id"] == MODEL]
    assert (model["ready"], model["provider_name"], model["host"]) == (False, "OpenAI", "api.openai.com")
    assert "OPENAI_API_KEY" in model["remedy"]
    assert web.get(f"/api/v1/models/{MODEL}").json() == model


def test_a_listing_looks_once_at_each_provider(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def watched(provider: Provider) -> dict[str, str]:
        looked.append(provider.id)
        return keys_of(provider)

    keys_of = keys.keys_of
    monkeypatch.setattr(keys, "keys_of", watched)
    hosted = [model for model in web.get("/api/v1/models").json()["models"] if model["kind"] == "hosted"]
    assert len(hosted) > len(looked)
    assert sorted(looked) == sorted({model["provider"] for model in hosted})


def test_a_retired_model_is_listed_with_what_to_use_instead(make_settings: Callable[..., Settings]) -> None:
    settings = add_records(make_settings(), RECORDS + 'retires = 2026-01-31\nreplacement = "mill/wind"\n')
    with HostedStudio(settings) as studio:
        client = client_of(studio)
        [wheel] = [one for one in client.get("/api/v1/models").json()["models"] if one["id"] == WHEEL]
        assert (wheel["ready"], wheel["reason"]) == (False, "Wheel was retired on 31 January 2026.")
        assert wheel["remedy"] == "Choose mill/wind instead."
        assert client.get(f"/api/v1/models/{WHEEL}").json() == wheel


def test_with_a_key_a_model_is_ready_and_the_key_is_nowhere_told(
    web: TestClient, openai_server: ProviderServer
) -> None:
    model = web.get(f"/api/v1/models/{MODEL}")
    assert (model.json()["ready"], model.json()["reason"]) == (True, "")
    assert KEY not in model.text + web.get("/api/v1/models").text + web.get("/api/v1/providers").text


def test_when_hosted_models_are_off_none_is_listed(make_settings: Callable[..., Settings]) -> None:
    studio = StillStudio(make_settings(hosted="off"))
    off = client_of(studio)
    assert {model["kind"] for model in off.get("/api/v1/models").json()["models"]} == {"checkpoint"}
    assert off.get("/api/v1/providers").json() == []
    assert "DARKROOM_HOSTED=off" in off.get(f"/api/v1/models/{MODEL}").json()["reason"]
    refused = off.post("/api/v1/jobs", json={"prompt": "a boat", "model": MODEL})
    assert (refused.status_code, refused.json()["field"]) == (422, "model")
    assert off.post("/api/v1/providers/openai/acknowledge").status_code == 404
    studio.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "fetch"),
        ("DELETE", "fetch"),
        ("POST", "load"),
        ("DELETE", "load"),
        ("POST", "check"),
        ("DELETE", "files"),
        ("GET", "schedulers"),
    ],
)
def test_what_only_checkpoints_have_is_refused_for_a_hosted_model(web: TestClient, method: str, path: str) -> None:
    refused = web.request(method, f"/api/v1/models/{MODEL}/{path}")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "is hosted" in refused.json()["detail"]


@pytest.mark.parametrize("path", ["plan", "tokens"])
def test_what_is_planned_for_checkpoints_is_refused_for_a_hosted_model(web: TestClient, path: str) -> None:
    refused = web.post(f"/api/v1/{path}", json={"prompt": "a boat", "model": MODEL})
    assert (refused.status_code, refused.json()["field"]) == (422, "model")


def test_a_provider_tells_its_variables_and_can_be_acknowledged(web: TestClient) -> None:
    [before] = [one for one in web.get("/api/v1/providers").json() if one["id"] == "openai"]
    assert (before["ready"], before["acknowledged"], before["variables"]) == (False, False, [["OPENAI_API_KEY"]])
    after = web.post("/api/v1/providers/openai/acknowledge").json()
    assert after == before | {"acknowledged": True}
    unknown = web.post("/api/v1/providers/nobody/acknowledge")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_a_hosted_job_tells_that_it_asks_and_warns_once_where_the_prompt_goes(
    web: TestClient, openai_server: ProviderServer
) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    wish = {"prompt": "a boat", "model": MODEL, "options": {"quality": "low"}}
    job = web.post("/api/v1/jobs", json=wish).json()
    stream = web.get(f"/api/v1/jobs/{job['id']}/events").text
    told = [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]
    assert [event["provider"] for event in told if event["type"] == "asked"] == ["OpenAI"]
    warned = [event["message"] for event in told if event["type"] == "warned"]
    assert warned == [f"The prompt is sent to OpenAI ({openai_server.url.removeprefix('http://')})."]
    assert told[-1]["type"] == "finished"
    assert openai_server.asked[0].json["quality"] == "low"

    web.post("/api/v1/providers/openai/acknowledge")
    assert web.post("/api/v1/jobs", json=wish).json()["warnings"] == []


def test_a_key_that_a_provider_quotes_is_in_no_event_no_log_and_no_answer(
    web: TestClient, openai_server: ProviderServer
) -> None:
    openai_server.answers(refusal(400, "invalid_value", f"Not with the key {KEY}."))
    job = web.post("/api/v1/jobs", json={"prompt": "a boat", "model": MODEL}).json()
    path = f"/api/v1/jobs/{job['id']}"
    events = web.get(f"{path}/events").text
    assert "event: failed" in events
    assert KEY not in events + web.get(path).text + web.get(f"{path}/log").text


def test_what_speaks_against_a_hosted_job_is_a_problem_before_anything_is_queued(web: TestClient) -> None:
    refused = web.post("/api/v1/jobs", json={"prompt": "a boat", "model": MODEL})
    assert (refused.status_code, refused.json()["code"]) == (503, "key_missing")
    assert "OPENAI_API_KEY" in refused.json()["remedy"]
    assert web.get("/api/v1/jobs").json() == []


def test_a_comparison_takes_models_of_here_and_of_elsewhere_together(
    web: TestClient, openai_server: ProviderServer
) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    wish = {"base": {"prompt": "a boat", "seed": 7}, "columns": {"field": "model", "values": ["tiny", MODEL]}}
    started = web.post("/api/v1/comparisons", json=wish)
    assert started.status_code == 202, started.text
    here, there = started.json()["cells"]
    assert web.get(f"/api/v1/jobs/{there['job']['id']}/events").text.count("event: finished") == 1
    found = web.get(f"/api/v1/comparisons/{started.json()['id']}").json()
    assert [cell["job"]["status"] for cell in found["cells"]] == ["queued", "finished"]
    assert web.delete(f"/api/v1/jobs/{here['job']['id']}").json()["status"] == "cancelled"


def test_programs_of_a1111_neither_see_nor_reach_a_hosted_model(web: TestClient, openai_server: ProviderServer) -> None:
    assert MODEL not in web.get("/sdapi/v1/sd-models").text
    for path, sent in {
        "txt2img": {"prompt": "a boat", "override_settings": {"sd_model_checkpoint": MODEL}},
        "options": {"sd_model_checkpoint": MODEL},
    }.items():
        refused = web.post(f"/sdapi/v1/{path}", json=sent)
        assert (refused.status_code, "is hosted" in refused.json()["detail"]) == (422, True)
    assert openai_server.asked == []


def test_an_address_with_a_password_is_told_without_it(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://ada:xyzzy@proxy.example/v1")
    assert web.get(f"/api/v1/models/{MODEL}").json()["host"] == "proxy.example"
    assert "xyzzy" not in web.get("/api/v1/models").text + web.get("/api/v1/providers").text
