"""Pictures enlarged by a network: those that people bring along, and finished ones, step by step like all else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipeline.engine import Engine, GenerationCancelled
from pipeline.engine.networks import Compact
from pipeline.engine.upscale import upscale
from pipeline.errors import NotFound
from pipeline.events import Event, Step
from pipeline.models.registry import ModelRecord
from pipeline.models.upscalers import Upscaler
from pipeline.pictures.store import InputStore
from pipeline.recipe import FileUse
from pipeline.request import parse_request
from tests.engine.conftest import Run

WIDE = Image.fromarray(np.arange(400 * 30 * 3, dtype=np.uint8).reshape(30, 400, 3))
"""Of three tiles."""


@pytest.fixture(scope="module")
def network(cache: Path) -> Path:
    """A network of one's own with random weights, called `small`, that doubles."""
    torch.manual_seed(0)
    path = cache / "weights" / "upscalers" / "small.safetensors"
    path.parent.mkdir(parents=True)
    save_file({name: tensor.detach() for name, tensor in Compact(4, 1, 2).state_dict().items()}, path)
    return path


def used(path: Path) -> FileUse:
    return FileUse(name="small", sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_picture_is_enlarged_by_a_network_tile_by_tile_without_a_model(
    engine: Engine, run: Callable[..., Run], cache: Path, network: Path
) -> None:
    image = InputStore(cache / "inputs").put(WIDE)
    engine.release()
    made = run(image=image, strength=0, upscale={"factor": 2, "upscaler": "small"})
    assert made.pictures[0].rgb == upscale(WIDE, 2, Upscaler("small", "", path=network)).tobytes()
    assert [(step.step, step.total) for step in made.of(Step)] == [(1, 3), (2, 3), (3, 3)]
    assert (made.pictures[0].recipe.upscaler, made.pictures[0].recipe.dtype) == (used(network), "float32")
    assert engine.loaded is None


def test_an_enlargement_is_cancelled_between_two_tiles(
    engine: Engine, demo: ModelRecord, cache: Path, network: Path
) -> None:
    image = InputStore(cache / "inputs").put(WIDE)
    request = parse_request(prompt="", image=image, strength=0, seed=1, upscale={"factor": 2, "upscaler": "small"})
    steps: list[Event] = []
    with pytest.raises(GenerationCancelled):
        list(engine.generate(request, demo, [0], steps.append, lambda: len(steps) == 2))
    assert len(steps) == 2


def test_what_a_network_enlarged_is_drawn_over_and_its_tiles_count_as_steps(
    run: Callable[..., Run], sd35: ModelRecord, network: Path
) -> None:
    wish = {"factor": 2, "strength": 0.5}
    made, resized = run(sd35, num_inference_steps=4, upscale=wish | {"upscaler": "small"}), run(sd35, upscale=wish)
    side, total = sd35.size.native[0], made.of(Step)[-1].total
    assert [step.step for step in made.of(Step)] == list(range(1, total + 1))
    assert {step.total for step in made.of(Step)} == {total}
    [picture] = made.pictures
    assert (picture.recipe.width, picture.recipe.upscaler) == (2 * side, used(network))
    assert made.digests != resized.digests
    assert resized.pictures[0].recipe.upscaler is None


def test_an_upscaler_that_is_gone_by_then_is_told(run: Callable[..., Run], cache: Path) -> None:
    image = InputStore(cache / "inputs").put(WIDE)
    with pytest.raises(NotFound, match="The upscaler “gone” is not there"):
        run(image=image, strength=0, upscale={"factor": 2, "upscaler": "gone"})
