"""Every scheduler that a model offers draws its picture, for each family with its real classes.

Schedulers without chance solve one equation: with many steps all of them come to the same picture. One that only runs,
and for instance scales the noise in its own way, comes to another one.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.engine import Engine
from pipeline.engine.schedulers import fresh
from pipeline.events import Picture, Preview, Step
from pipeline.models import schedulers
from pipeline.models.registry import ModelRecord
from pipeline.pictures.store import InputStore
from tests.checkpoints import FACTORIES, family_record
from tests.engine.conftest import Run

Runner = Callable[..., Run]

BY_CHANCE = {
    "DDPMScheduler",
    "DDPMWuerstchenScheduler",
    "EulerAncestralDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
}
"""Those that add noise at each step."""
SAME = 30.0
"""PSNR in dB; pictures of two seeds have 12 to 27."""
FROM_PICTURES = {"sd15", "sd3", "flux", "qwen"}
"""One family for each way in which pipelines for pictures ask a scheduler."""
TABLES = tomllib.loads(Path(inspect.getfile(schedulers)).with_suffix(".toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=FACTORIES)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    folder = tmp_path_factory.mktemp("schedulers") / "tiny"
    FACTORIES[request.param](folder)
    return family_record(request.param, folder)


@pytest.fixture(scope="module")
def brought(record: ModelRecord, cache: Path) -> dict[str, str]:
    """Black paper with a mask over its right half."""
    inputs, (width, height) = InputStore(cache / "inputs"), record.size.native
    mask = Image.new("L", (width, height))
    mask.paste(255, (width // 2, 0, width, height))
    return {"image": inputs.put(Image.new("RGB", (width, height))), "mask": inputs.put(mask)}


def test_data_and_checkpoint_agree_about_the_own_one(run: Runner, engine: Engine, record: ModelRecord) -> None:
    run(record, num_inference_steps=2)
    own = engine._loaded.scheduler
    names = schedulers.of(record)
    assert names[0] == type(own).__name__
    assert names == schedulers.of(record.model_copy(update={"source": "nobody/not-here", "parts": {}}))


def test_all_without_chance_come_to_the_same_picture(run: Runner, record: ModelRecord) -> None:
    names = [name for name in schedulers.of(record) if name not in BY_CHANCE]
    pictures = [pixels(drawn(run, record, name, 14)) for name in names]
    assert {name: psnr(pictures[0], one) > SAME for name, one in zip(names, pictures, strict=True)} == dict.fromkeys(
        names, True
    )


def test_all_without_chance_come_to_the_same_picture_from_another_one_too(
    run: Runner, record: ModelRecord, brought: dict[str, str]
) -> None:
    if record.family not in FROM_PICTURES:
        pytest.skip("it works from words alone, or as another one does")
    names = [name for name in schedulers.of(record) if name not in BY_CHANCE]
    settings = {"image": brought["image"], "strength": 0.7, "num_inference_steps": 20}
    pictures = [pixels(run(record, scheduler=name, **settings).pictures[0]) for name in names]
    alike = {name: psnr(pictures[0], one) for name, one in zip(names, pictures, strict=True)}
    assert {name: value for name, value in alike.items() if value < SAME} == {}


def test_each_draws_behind_a_mask(run: Runner, record: ModelRecord, brought: dict[str, str]) -> None:
    if record.family not in FROM_PICTURES:
        pytest.skip("it has no pipeline for that, or the same as another one")
    for name in schedulers.of(record):
        made = run(record, scheduler=name, **brought, strength=0.7, num_inference_steps=record.steps.min + 2)
        assert len(set(made.pictures[0].rgb)) > 20, name
        assert made.of(Step)[-1].step == made.of(Step)[-1].total


def test_few_steps_are_enough_each_is_told_and_shown_and_none_leaves_a_trace(run: Runner, record: ModelRecord) -> None:
    least = record.steps.min
    before = run(record).digests
    for name, steps in product(schedulers.of(record), (least, least + 1)):
        made = run(record, scheduler=name, num_inference_steps=steps)
        assert len(set(made.pictures[0].rgb)) > 20, name
        assert made.pictures[0].recipe.scheduler == name
        assert (made.of(Step)[-1].step, made.of(Step)[-1].seconds_left) == (made.of(Step)[-1].total, 0)
        assert made.of(Preview) or steps == 1, name
    assert run(record).digests == before


def test_a_recipe_with_another_scheduler_makes_the_picture_again(run: Runner, demo: ModelRecord) -> None:
    for name in schedulers.of(demo):
        made = run(demo, scheduler=name)
        assert run(demo, **made.pictures[0].recipe.to_request().model_dump()).digests == made.digests


def test_two_pictures_with_a_scheduler_of_chance_do_not_depend_on_each_other(run: Runner, tmp_path: Path) -> None:
    record = family_record("sd15", FACTORIES["sd15"](tmp_path / "tiny"))
    first, second = run(record, scheduler="EulerAncestralDiscreteScheduler", indices=(0, 1), num_images=2).digests
    assert run(record, scheduler="EulerAncestralDiscreteScheduler", seed=8).digests == [second] != [first]


def test_another_class_is_told_that_latents_are_no_pixels() -> None:
    own = diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear")
    assert fresh(diffusers.DDIMScheduler, own).config.clip_sample is False
    assert fresh(diffusers.PNDMScheduler, own).config.skip_prk_steps is True


def test_what_the_own_one_says_of_that_is_kept() -> None:
    own = diffusers.DDIMScheduler(clip_sample=True)
    assert fresh(diffusers.DDPMScheduler, own).config.clip_sample is True


@pytest.mark.parametrize("name", TABLES["labels"])
def test_every_class_that_has_a_name_is_there(name: str) -> None:
    assert inspect.isclass(getattr(diffusers, name))
    assert not hasattr(getattr(diffusers, name), "_backends"), "it needs a package that is not here"


@pytest.mark.parametrize("setting", TABLES["knows"])
def test_the_classes_that_are_said_to_know_a_setting_have_it(setting: str) -> None:
    for name in TABLES["knows"][setting]:
        assert setting in inspect.signature(getattr(diffusers, name)).parameters, name


def drawn(run: Runner, record: ModelRecord, name: str, steps: int) -> Picture:
    [picture] = run(record, scheduler=name, num_inference_steps=steps).pictures
    return picture


def pixels(picture: Picture) -> NDArray[Any]:
    return np.frombuffer(picture.rgb, np.uint8).astype(np.float64)


def psnr(first: NDArray[Any], second: NDArray[Any]) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((first - second) ** 2), 1e-9)))
