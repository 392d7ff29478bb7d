"""Loading: progress, the same model twice, no network, and a sentence for every kind of damage."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from pipeline.engine import Engine, GenerationCancelled
from pipeline.engine.files import components_of, revision_of
from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Loading
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest, parse_request
from tests.checkpoints import family_record, record_for, sd15_checkpoint
from tests.checkpoints.originals import sd_original

COMPONENTS = [
    "scheduler",
    "text_encoder",
    "text_encoder_2",
    "text_encoder_3",
    "tokenizer",
    "tokenizer_2",
    "tokenizer_3",
    "transformer",
    "vae",
]
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint of this test's own, to be damaged."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


def load(engine: Engine, record: ModelRecord) -> list[Event]:
    events: list[Event] = []
    engine.load(record, GenerationRequest(prompt="-"), events.append)
    return events


def failure(engine: Engine, folder: Path) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        load(engine, record_for(folder))
    assert engine.loaded is None
    assert caught.value.info.remedy
    return caught.value.info.message


def test_loading_tells_which_component_is_under_way(engine: Engine, copy: Path) -> None:
    events = load(engine, record_for(copy))
    assert all(isinstance(event, Loading) for event in events)
    assert [event.component for event in events] == [*COMPONENTS, "pipeline"]
    assert [event.done for event in events] == list(range(10))
    assert {event.total for event in events} == {9}
    assert engine.loaded == "demo"


def test_loading_what_is_loaded_does_nothing(engine: Engine, demo: ModelRecord) -> None:
    load(engine, demo)
    pipeline = engine._loaded.pipeline
    assert load(engine, demo) == []
    events: list[Event] = []
    engine.load(demo, GenerationRequest(prompt="-", quantization="none", offload="none"), events.append)
    assert events == []
    assert engine._loaded.pipeline is pipeline


def test_a_cancelled_job_does_not_load_on(engine: Engine, copy: Path) -> None:
    events: list[Event] = []
    request = parse_request(prompt="a house", seed=1, num_inference_steps=1)
    with pytest.raises(GenerationCancelled):
        next(engine.generate(request, record_for(copy), [0], events.append, lambda: len(events) == 2))
    assert [event.component for event in events if isinstance(event, Loading)] == COMPONENTS[:2]
    assert engine.loaded is None
    assert next(engine.generate(request, record_for(copy), [0], events.append, lambda: False))


def test_a_released_engine_holds_nothing(engine: Engine, demo: ModelRecord) -> None:
    load(engine, demo)
    engine.release()
    assert engine.loaded is None


def test_a_local_model_never_tries_the_network(engine: Engine, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda *_: pytest.fail("tried the network"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("tried the network"))
    assert load(engine, record_for(copy))


def test_truncated_weights_are_named(engine: Engine, copy: Path) -> None:
    file = copy / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1000])
    assert f"damaged or incomplete file {WEIGHTS}" in failure(engine, copy)


@pytest.mark.parametrize("content", [b"", b"not a safetensors file at all", b"\xff" * 64])
def test_corrupt_weights_are_named(engine: Engine, copy: Path, content: bytes) -> None:
    (copy / WEIGHTS).write_bytes(content)
    assert f"damaged or incomplete file {WEIGHTS}" in failure(engine, copy)


def test_a_missing_weights_file_is_named(engine: Engine, copy: Path) -> None:
    (copy / WEIGHTS).unlink()
    assert "no .safetensors weights in “transformer”" in failure(engine, copy)


def test_pickled_weights_are_not_opened(engine: Engine, copy: Path) -> None:
    (copy / WEIGHTS).rename(copy / "transformer" / "diffusion_pytorch_model.bin")
    assert "other formats are not opened" in failure(engine, copy)


def test_a_missing_shard_is_named(engine: Engine, copy: Path) -> None:
    index = {"metadata": {}, "weight_map": {"a": "diffusion_pytorch_model-00002-of-00002.safetensors"}}
    (copy / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert "lacks transformer/diffusion_pytorch_model-00002-of-00002.safetensors" in failure(engine, copy)


def test_missing_tensors_are_not_replaced_by_noise(engine: Engine, copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS)
    del tensors["proj_out.weight"]
    save_file(tensors, copy / WEIGHTS, metadata={"format": "pt"})
    assert "lacks 1 of the weights of transformer, such as proj_out.weight" in failure(engine, copy)


def test_a_missing_component_is_named(engine: Engine, copy: Path) -> None:
    shutil.rmtree(copy / "vae")
    assert "has no folder “vae”" in failure(engine, copy)


def test_a_missing_index_is_named(engine: Engine, copy: Path) -> None:
    (copy / "model_index.json").unlink()
    assert "has no model_index.json" in failure(engine, copy)


def test_an_unreadable_index_is_named(engine: Engine, copy: Path) -> None:
    (copy / "model_index.json").write_text("{")
    assert "unreadable model_index.json" in failure(engine, copy)


def test_code_from_a_checkpoint_is_never_imported(engine: Engine, copy: Path) -> None:
    index = json.loads((copy / "model_index.json").read_text())
    index["vae"] = ["subprocess", "Popen"]
    (copy / "model_index.json").write_text(json.dumps(index))
    assert "subprocess.Popen" in failure(engine, copy)


def test_a_folder_that_went_away_is_named(engine: Engine, tmp_path: Path) -> None:
    assert f"is not there: {tmp_path / 'gone'}" in failure(engine, tmp_path / "gone")


def test_a_failed_load_leaves_the_engine_usable(engine: Engine, copy: Path, demo: ModelRecord) -> None:
    (copy / WEIGHTS).unlink()
    failure(engine, copy)
    load(engine, demo)
    assert engine.loaded == "demo"


def test_the_revision_follows_the_weights_and_not_the_readme(copy: Path) -> None:
    components = components_of(copy, record_for(copy))
    before = revision_of(copy, components)
    (copy / "README.md").write_text("Hello")
    assert revision_of(copy, components) == before
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    assert revision_of(copy, components) != before


def test_a_hub_snapshot_is_known_by_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--acme--tiny" / "snapshots" / ("ab" * 20)
    snapshot.mkdir(parents=True)
    assert revision_of(snapshot, {}) == "ab" * 20


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_a_single_file_draws_what_its_folder_draws(engine: Engine, tmp_path: Path, quantization: str) -> None:
    folder = sd15_checkpoint(tmp_path / "folder")
    file = sd_original(folder, tmp_path / "one.safetensors")
    whole = family_record("sd15", folder, id="whole", nf4=("unet",))
    single = whole.model_copy(update={"id": "single", "source": str(file), "config": str(folder)})
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2, quantization=quantization)
    recipes = [
        picture.recipe
        for record in (whole, single)
        for picture in engine.generate(request, record, [0], lambda event: None, lambda: False)
    ]
    assert recipes[0].sha256 == recipes[1].sha256
    assert recipes[1].components["unet"].quantization == quantization
    assert recipes[1].model_revision == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
