"""A checkpoint's files: fetched from a hub and loaded, told apart, and checked for what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engine import Engine, GenerationCancelled
from pipeline.engine.files import check_component, fetch, revision_of
from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Fetching, Loading
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest
from tests.checkpoints import record_for
from tests.hub_server import Fault, HubServer, use_hub

TINY = "acme/tiny"
REQUEST = GenerationRequest(prompt="-")
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def server(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub that has the tiny checkpoint, and an empty cache."""
    with HubServer() as server:
        server.add(TINY, tiny_checkpoint)
        use_hub(monkeypatch, server.url, tmp_path / "hub")
        yield server


@pytest.fixture
def remote(tiny_checkpoint: Path, engine: Engine) -> ModelRecord:
    """The tiny checkpoint's record, with the hub for its source; the engine holds nothing."""
    engine.release()
    return record_for(tiny_checkpoint, id=TINY, source=TINY)


def test_a_model_of_the_hub_is_fetched_and_then_loaded(server: HubServer, remote: ModelRecord, engine: Engine) -> None:
    events: list[Event] = []
    engine.load(remote, REQUEST, events.append)
    kinds = [type(event) for event in events]
    assert kinds == sorted(kinds, key=lambda kind: kind is Loading)
    fetching = [event for event in events if isinstance(event, Fetching)]
    assert fetching[-1].done == fetching[-1].total > 0
    assert engine.loaded == TINY


def test_a_model_that_is_here_is_not_fetched(tiny_checkpoint: Path, server: HubServer, remote: ModelRecord) -> None:
    assert fetch(record_for(tiny_checkpoint), pytest.fail) == {"": tiny_checkpoint}
    folder = fetch(remote, lambda _: None)[""]
    assert fetch(remote, pytest.fail) == {"": folder}
    assert revision_of(folder, {}) == server.commit(TINY)


def test_a_download_that_fails_leaves_the_engine_usable(
    server: HubServer, remote: ModelRecord, engine: Engine, demo: ModelRecord
) -> None:
    server.fault(TINY, WEIGHTS, Fault(corrupt=True))
    with pytest.raises(ModelUnavailable, match="arrived damaged"):
        engine.load(remote, REQUEST, lambda _: None)
    assert engine.loaded is None
    engine.load(demo, REQUEST, lambda _: None)
    assert engine.loaded == "demo"


def test_a_job_that_is_cancelled_stops_its_download(server: HubServer, remote: ModelRecord, engine: Engine) -> None:
    fault = server.fault(TINY, WEIGHTS, Fault(hold_after=1000))

    def emit(event: Event) -> None:
        if isinstance(event, Fetching) and fault.held.is_set():
            raise GenerationCancelled

    with pytest.raises(GenerationCancelled):
        engine.load(remote, REQUEST, emit)
    assert engine.loaded is None


def test_damage_in_the_cache_names_the_command_that_helps(server: HubServer, remote: ModelRecord) -> None:
    folder = fetch(remote, lambda _: None)[""]
    (folder / WEIGHTS).resolve().write_bytes(b"no safetensors")
    with pytest.raises(ModelUnavailable, match=f"models verify {TINY}"):
        check_component(folder, "transformer", remote, weights=True)


def test_an_index_of_a_precision_that_is_not_loaded_does_no_harm(tiny_checkpoint: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    (copy / WEIGHTS).rename(copy / WEIGHTS.replace(".safetensors", ".fp16.safetensors"))
    (copy / f"{WEIGHTS}.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    check_component(copy, "transformer", record_for(copy, variant="fp16"), weights=True)


def test_the_revision_of_a_single_file_follows_its_content(tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    file.write_bytes(b"one")
    before = revision_of(file, {})
    file.write_bytes(b"two")
    assert revision_of(file, {}) != before
