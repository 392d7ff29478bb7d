"""Quantised once, read from the disk afterwards: the same bits, or quantised again."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel
from safetensors.torch import load_file, save_file
from transformers import T5EncoderModel

from pipeline.engine import quantized_cache
from pipeline.engine.component import LoadedComponent, load_component
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.events import Event, Warned
from pipeline.models.cache import MANIFEST, clear, list_entries, model_folder
from pipeline.models.registry import ROOT, ModelRecord

Load = Callable[..., LoadedComponent]
KINDS = {"transformer": SD3Transformer2DModel, "text_encoder_3": T5EncoderModel}
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def checkpoint(sd35: ModelRecord, tmp_path: Path) -> Path:
    """The components of a tiny checkpoint of this test's own."""
    assert sd35.local is not None
    for name in KINDS:
        shutil.copytree(sd35.local / name, tmp_path / "checkpoint" / name)
    return tmp_path / "checkpoint"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def load(sd35: ModelRecord, checkpoint: Path, cache: Path, events: list[Event]) -> Load:
    def go(name: str = "transformer", precision: str = "nf4", dtype: torch.dtype = torch.bfloat16) -> LoadedComponent:
        return load_component(
            KINDS[name],
            checkpoint / name,
            name,
            precision=precision,  # type: ignore[arg-type]
            dtype=dtype,
            device="cpu",
            record=sd35,
            cache=QuantizedCache(cache),
            emit=events.append,
        )

    return go


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Every tensor, the scales of the quantised ones included. For models that were not used yet."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether both hold the same bits of the same dtypes under the same names."""
    return one.keys() == other.keys() and all(
        tensor.dtype == other[name].dtype
        and tensor.shape == other[name].shape
        and torch.equal(tensor.view(torch.uint8), other[name].view(torch.uint8))
        for name, tensor in one.items()
    )


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("transformer", "nf4"),
        ("transformer", "int8"),
        ("text_encoder_3", "nf4"),
        ("text_encoder_3", "nf4-full"),
        ("text_encoder_3", "int8"),
    ],
)
def test_what_is_read_is_what_was_quantised(load: Load, name: str, precision: str) -> None:
    first, second = load(name, precision), load(name, precision)
    assert (first.report.cached, second.report.cached) == (False, True)
    assert same(weights(first.model), weights(second.model))
    assert second.report.model_dump(exclude={"seconds", "cached"}) == first.report.model_dump(
        exclude={"seconds", "cached"}
    )
    assert not second.model.training


def test_both_compute_the_same(load: Load) -> None:
    tokens = torch.arange(3, 23)[None]
    with torch.no_grad():
        first, second = (load("text_encoder_3", "nf4-full").model(tokens)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_using_a_component_does_not_reach_the_entry(load: Load) -> None:
    first = load("text_encoder_3").model
    fresh = weights(first)
    with torch.no_grad():
        first(torch.arange(3, 23)[None])  # on processors with AVX-512 bitsandbytes repacks here
    assert same(weights(load("text_encoder_3").model), fresh)


def test_precisions_and_dtypes_have_entries_of_their_own(load: Load, cache: Path) -> None:
    load("text_encoder_3", "nf4")
    for other in ({"precision": "nf4-full"}, {"precision": "int8"}, {"dtype": torch.float32}):
        assert not load("text_encoder_3", **other).report.cached
    assert len(list_entries(cache)) == 4
    assert load("text_encoder_3", "nf4").report.cached


def test_an_entry_can_be_listed_and_cleared(load: Load, sd35: ModelRecord, cache: Path) -> None:
    load()
    [entry] = list_entries(cache)
    assert (entry.model, entry.component, entry.precision) == (sd35.id, "transformer", "nf4")
    held = sum(file.stat().st_size for file in files_below(cache))
    assert held - 10_000 < entry.bytes < held
    assert clear(cache, sd35.id) == held
    assert files_below(cache) == []
    assert not load().report.cached


def test_clearing_takes_nothing_from_a_component_in_use(load: Load, cache: Path) -> None:
    load("text_encoder_3")
    component = load("text_encoder_3")
    assert component.report.cached
    clear(cache)
    with torch.no_grad():
        assert component.model(torch.arange(3, 23)[None])[0].isfinite().all()


def flip_the_last_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def train_on(file: Path) -> None:
    """Change the weights, and nothing else about their file."""
    tensors = {name: tensor.flip(0) for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip_the_last_byte, cut_short, Path.unlink], ids=lambda way: way.__name__)
@pytest.mark.parametrize("victim", [WEIGHTS, "config.json", MANIFEST])
def test_a_damaged_entry_is_made_again(
    load: Load, cache: Path, events: list[Event], damage: Callable[[Path], None], victim: str
) -> None:
    fresh = weights(load().model)
    [file] = cache.rglob(victim)
    damage(file)
    again = load()
    assert not again.report.cached
    assert same(weights(again.model), fresh)
    third = load()
    assert third.report.cached
    assert same(weights(third.model), fresh)
    assert events == []


def test_an_entry_of_other_weights_is_stale(load: Load, checkpoint: Path, cache: Path) -> None:
    before = weights(load().model)
    train_on(checkpoint / "transformer" / WEIGHTS)
    again = load()
    assert not again.report.cached
    assert not same(weights(again.model), before)
    assert len(list_entries(cache)) == 1
    assert load().report.cached


def test_an_entry_of_other_versions_is_stale(load: Load, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    monkeypatch.setattr(quantized_cache, "version", lambda _: "99.0")
    assert not load().report.cached
    assert len(list_entries(cache)) == 1
    assert load().report.cached


def test_a_large_file_that_changed_between_its_samples_is_noticed(
    load: Load, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized_cache, "_WHOLE", 0)
    monkeypatch.setattr(quantized_cache, "_SAMPLE", 16)
    load()
    assert load().report.cached
    file = checkpoint / "transformer" / WEIGHTS
    content = bytearray(file.read_bytes())
    content[len(content) // 5] ^= 1
    file.write_bytes(content)
    assert not load().report.cached


@pytest.fixture
def files_end_early() -> Iterator[None]:
    """The operating system refuses to let any file grow beyond 50 kB, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_costs_the_entry_only(
    load: Load, cache: Path, events: list[Event], files_end_early: None
) -> None:
    for _ in range(2):
        assert not load().report.cached
    assert all(isinstance(event, Warned) for event in events)
    assert len(events) == 2
    assert "The quantised transformer of Stable Diffusion 3.5 Medium is not kept on disk" in str(events[0])
    assert files_below(cache) == []
    assert list(cache.rglob(".*")) == []


def test_a_nearly_full_disk_is_not_filled(
    load: Load, cache: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(quantized_cache.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 500 * 2**20))
    assert not load().report.cached
    assert "too little free space" in str(events)
    assert files_below(cache) == []


def test_a_cache_that_cannot_be_written_costs_the_entry_only(load: Load, cache: Path, events: list[Event]) -> None:
    cache.write_text("a file where the folder should be")
    assert not load().report.cached
    assert len(events) == 1


def test_what_a_killed_process_left_is_swept_away(load: Load, sd35: ModelRecord, cache: Path) -> None:
    folder = model_folder(cache, sd35.id)
    old, new = folder / ".old", folder / ".new"
    for left in (old, new):
        left.mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    load()
    assert not old.exists()
    assert new.exists()


CHILD = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from diffusers import SD3Transformer2DModel
from pipeline.engine.component import load_component
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.models.registry import ModelRecord
folder, cache, record = Path(sys.argv[1]), Path(sys.argv[2]), ModelRecord.model_validate_json(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
loaded = load_component(SD3Transformer2DModel, folder, "transformer", precision="nf4", dtype=torch.bfloat16,
    device="cpu", record=record, cache=QuantizedCache(cache), emit=print)
state = loaded.model.state_dict()
print(json.dumps([loaded.report.cached, sum(float(tensor.float().sum()) for tensor in state.values())]))
"""


def test_two_processes_at_once_make_one_entry(sd35: ModelRecord, checkpoint: Path, cache: Path, load: Load) -> None:
    command = [sys.executable, "-c", CHILD, str(checkpoint / "transformer"), str(cache), sd35.model_dump_json()]
    children = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:  # both begin now
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    results = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert results[0][1] == results[1][1]
    assert len(list_entries(cache)) == 1
    assert list(cache.rglob(".*")) == []
    assert load().report.cached
