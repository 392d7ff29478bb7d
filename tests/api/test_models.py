"""Models over HTTP: what is known, and its files from a hub of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pipeline.events import Step
from pipeline.models.checker import Checker
from pipeline.models.finding import Finding
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from tests.api.conftest import client_of
from tests.checkpoints import record_for
from tests.conftest import write_models
from tests.hub_server import Fault, HubServer, use_hub

REMOTE = "acme/tiny"
LARGEST = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_checkpoint: Path) -> Iterator[HubServer]:
    """A hub that has the tiny checkpoint as `acme/tiny`."""
    with HubServer() as hub:
        hub.add(REMOTE, tiny_checkpoint)
        use_hub(monkeypatch, hub.url, tmp_path / "hub")
        yield hub


@pytest.fixture
def remote(hub: HubServer, make_settings: Callable[..., Any], tiny_checkpoint: Path) -> Iterator[Studio]:
    """A studio that knows that checkpoint, and whose engine never starts."""
    settings = make_settings(model="demo")
    write_models(settings.models_file, record_for(tiny_checkpoint, id=REMOTE, name="Remote", source=REMOTE))
    studio = Studio(settings)
    yield studio
    studio.close()


@pytest.fixture
def web(remote: Studio) -> TestClient:
    return client_of(remote)


def wait(studio: Studio) -> None:
    """Until the download has ended, however it does."""
    studio.models._fetcher.wait(REMOTE, 60)


def test_every_model_is_listed_with_the_default_and_its_reason(client: TestClient, studio: Studio) -> None:
    listed = client.get("/api/v1/models").json()
    assert [model["id"] for model in listed["models"]] == [
        model.id for model in (*studio.models.records, *studio.hosted.models)
    ]
    assert listed["default"]["id"] == "tiny"
    assert listed["default"]["reason"]


def test_a_model_tells_how_much_of_it_is_here(client: TestClient) -> None:
    tiny = client.get("/api/v1/models/tiny").json()
    assert tiny["here"]
    assert tiny["bytes_here"] == tiny["bytes_total"] > 1_000_000


def test_a_model_is_found_by_a_short_form_and_by_an_id_with_a_slash(client: TestClient) -> None:
    for name in ("3.5-medium", "stabilityai/stable-diffusion-3.5-medium"):
        assert client.get(f"/api/v1/models/{name}").json()["name"] == "Stable Diffusion 3.5 Medium"


def test_an_unknown_model_names_the_known_ones(client: TestClient) -> None:
    for method, path in (
        ("GET", "nobody"),
        ("POST", "nobody/fetch"),
        ("DELETE", "some/body/fetch"),
        ("DELETE", "nobody/files"),
    ):
        answer = client.request(method, f"/api/v1/models/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
        assert "tiny" in answer.json()["remedy"]


def test_a_model_is_fetched_and_its_files_are_deleted(web: TestClient, remote: Studio) -> None:
    accepted = web.post(f"/api/v1/models/{REMOTE}/fetch")
    assert (accepted.status_code, accepted.json()["model"]) == (202, REMOTE)
    wait(remote)
    [state] = web.get("/api/v1/fetches").json()
    assert (state["status"], state["done"]) == ("done", state["total"])
    assert web.get(f"/api/v1/models/{REMOTE}").json()["here"]

    freed = web.delete(f"/api/v1/models/{REMOTE}/files").json()["freed_bytes"]

    assert freed > 0.9 * state["total"]  # files with the same content are one in the cache
    assert not web.get(f"/api/v1/models/{REMOTE}").json()["here"]


def test_a_download_tells_how_far_it_is_and_can_be_stopped(web: TestClient, remote: Studio, hub: HubServer) -> None:
    held = hub.fault(REMOTE, LARGEST, Fault(hold_after=100_000, times=1))
    web.post(f"/api/v1/models/{REMOTE}/fetch")
    assert held.held.wait(60)
    [state] = web.get("/api/v1/fetches").json()
    assert state["status"] == "running"

    assert web.delete(f"/api/v1/models/{REMOTE}/fetch").status_code == 204

    wait(remote)
    [state] = web.get("/api/v1/fetches").json()
    assert state["status"] == "cancelled"
    assert web.get(f"/api/v1/models/{REMOTE}").json()["bytes_here"] > 0


def test_a_download_that_fails_keeps_its_error(web: TestClient, remote: Studio, hub: HubServer) -> None:
    del hub.repositories[REMOTE]
    web.post(f"/api/v1/models/{REMOTE}/fetch")
    wait(remote)
    [state] = web.get("/api/v1/fetches").json()
    assert (state["status"], state["error"]["code"]) == ("failed", "model_unavailable")
    assert state["error"]["remedy"]


def test_what_certainly_cannot_be_had_is_refused_at_once(web: TestClient, hub: HubServer) -> None:
    answer = web.post("/api/v1/models/flux/fetch")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert "gated" in answer.json()["detail"]


def test_a_repository_of_a_known_family_is_added_and_forgotten(
    web: TestClient, hub: HubServer, tiny_checkpoint: Path
) -> None:
    hub.add("acme/another", tiny_checkpoint)
    added = web.post("/api/v1/models", json={"source": "acme/another"})
    assert (added.status_code, added.json()["family"]) == (201, "sd3")
    assert web.get(added.headers["Location"]).json()["source"] == "acme/another"
    assert web.post("/api/v1/models", json={"source": "acme/another"}).status_code == 422

    assert web.delete(f"/api/v1/models/{added.json()['id']}").status_code == 204

    assert web.get(added.headers["Location"]).status_code == 404


@pytest.mark.parametrize(
    "source", ["/etc/passwd", "../secrets", "~/models", "a/b/c", "C:\\models", "", "./demo/checkpoint"]
)
def test_no_path_of_this_computer_is_added_over_http(web: TestClient, source: str) -> None:
    answer = web.post("/api/v1/models", json={"source": source})
    assert (answer.status_code, answer.json()["field"]) == (422, "source")
    assert "models add" in answer.json()["remedy"]


def test_a_model_is_loaded_and_let_go_of_again(client: TestClient, studio: Studio) -> None:
    studio.generate("a boat", num_inference_steps=1)
    loading = client.post("/api/v1/models/plain/load")
    assert (loading.status_code, loading.json()[0]["status"]) == (202, "loading")
    busy = client.post("/api/v1/models/tiny/load")
    assert (busy.status_code, busy.json()["code"]) == (409, "busy")
    studio.generate("a boat", model="plain", num_inference_steps=1)
    assert client.get("/api/v1/workers").json()[0]["model"] == "plain"

    let_go = client.delete("/api/v1/models/plain/load")

    assert (let_go.status_code, let_go.json()[0]["status"]) == (202, "loading")
    studio.generate("a boat", num_inference_steps=1)
    assert client.delete("/api/v1/models/plain/load").json()[0]["model"] == "tiny"


def test_a_model_in_use_is_not_let_go_of(client: TestClient, studio: Studio) -> None:
    studio.generate("a boat", num_inference_steps=1)
    job = studio.submit(GenerationRequest(prompt="a boat", num_inference_steps=1000, num_images=16))
    next(event for event in job.events() if isinstance(event, Step))
    answers = [client.delete("/api/v1/models/tiny/load"), client.post("/api/v1/models/plain/load")]
    job.cancel()
    list(job.events())
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "busy")] * 2


def test_a_model_that_is_not_on_this_disk_is_not_loaded(web: TestClient) -> None:
    answer = web.post(f"/api/v1/models/{REMOTE}/load")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert web.post("/api/v1/models/nobody/load").status_code == 404


def test_a_check_is_begun_and_its_findings_are_listed(web: TestClient, remote: Studio) -> None:
    remote.models._checker = Checker(lambda record: [Finding(name="classes", ok=True, finding="fine")])
    accepted = web.post("/api/v1/models/demo/check")
    assert (accepted.status_code, accepted.headers["Location"]) == (202, "/api/v1/checks")
    remote.models._checker._pool.shutdown()
    [found] = web.get("/api/v1/checks").json()
    assert (found["model"], found["is_over"]) == ("demo", True)
    assert [(one["name"], one["ok"]) for one in found["findings"]] == [("files", True), ("classes", True)]
    assert web.post("/api/v1/models/nobody/check").status_code == 404


def test_the_schedulers_of_a_model_are_listed_its_own_first(client: TestClient) -> None:
    listed = client.get("/api/v1/models/demo/schedulers").json()
    assert listed[0]["name"] == "FlowMatchEulerDiscreteScheduler"
    assert all(one["label"] for one in listed)


def test_a_checkpoint_that_is_put_into_its_folder_is_listed_without_a_restart(web: TestClient, remote: Studio) -> None:
    before = len(web.get("/api/v1/models").json()["models"])
    path = remote.settings.models_file
    path.write_text(path.read_text(encoding="utf-8").replace("acme/tiny", "acme/other", 1), encoding="utf-8")
    listed = [model["id"] for model in web.get("/api/v1/models").json()["models"]]
    assert (len(listed), "acme/other" in listed) == (before, True)
