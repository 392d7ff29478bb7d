"""Models over HTTP: what is known, and its files from a hub of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

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
    assert [model["id"] for model in listed["models"]] == [record.id for record in studio.models.records]
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
