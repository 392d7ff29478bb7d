"""The pipelines for pictures share all with the one for words: components, LoRAs, VAE, words and their weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.engine import Engine
from pipeline.engine.brush import pipeline_for
from pipeline.errors import EngineFailed
from pipeline.events import Step
from pipeline.models.registry import ModelRecord, Registry
from pipeline.pictures.store import InputStore
from pipeline.request import parse_request
from tests.checkpoints import sd15_checkpoint
from tests.engine.conftest import Run
from tests.engine.test_extras import SD15, SD35, SDXL, tiny_models, write_weights
from tests.engine.test_families import computed, tiny

Runner = Callable[..., Run]
TASKS = ("image", "inpaint")
LORAS = {SD15: "ink-sd15", SDXL: "ink-sdxl", SD35: "ink-sd3"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRecord]:
    return tiny_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def studio_engine(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(cache, write_weights(tmp_path_factory.mktemp("weights")))
    yield engine
    engine.release()


@pytest.fixture(scope="module")
def brought(cache: Path) -> dict[str, dict[str, Any]]:
    """What a request for each task brings along, at 64 × 64 pixels: paper that goes from blue to red, its right half
    masked."""
    inputs, mask = InputStore(cache / "inputs"), Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    across = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.uint8), (64, 64))
    paper = Image.fromarray(np.stack([across, across // 2, 255 - across], -1))
    image = {"image": inputs.put(paper), "strength": 0.7}
    return {"text": {}, "image": image, "inpaint": image | {"mask": inputs.put(mask)}}


@pytest.fixture
def run(studio_engine: Engine) -> Runner:
    def go(record: ModelRecord, **fields: Any) -> Run:
        made, request = Run(), parse_request(**{"prompt": "a red house", "seed": 7, "num_inference_steps": 3} | fields)
        made.pictures.extend(studio_engine.generate(request, record, (0,), made.events.append, lambda: False))
        return made

    return go


@pytest.mark.parametrize("name", [SD15, SDXL, SD35])
def test_a_pipeline_for_pictures_is_made_of_the_very_components(
    models: dict[str, ModelRecord],
    run: Runner,
    studio_engine: Engine,
    name: str,
) -> None:
    run(models[name], quantization="nf4", num_inference_steps=1)
    loaded = studio_engine._loaded
    assert loaded is not None
    before = {key: _state(part) for key, part in loaded.pipeline.components.items()}
    for task in TASKS:
        other = pipeline_for(loaded, task)
        assert type(other).__name__ == models[name].pipelines[task]
        for key, part in other.components.items():
            assert part is loaded.pipeline.components.get(key)
        assert {key: _state(part) for key, part in other.components.items() if key in before} == {
            key: state for key, state in before.items() if key in other.components
        }


def test_no_watermark_is_added_to_pictures_from_pictures_either(
    models: dict[str, ModelRecord],
    run: Runner,
    studio_engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(models[SDXL], num_inference_steps=1)
    for task in TASKS:
        module = inspect.getmodule(getattr(diffusers, models[SDXL].pipelines[task]))
        monkeypatch.setattr(module, "is_invisible_watermark_available", lambda: True)
        loaded = studio_engine._loaded
        assert loaded is not None
        assert pipeline_for(loaded, task).watermark is None


def _state(part: Any) -> Any:
    """Where the weights of a component are, and in which form."""
    if not isinstance(part, torch.nn.Module):
        return None
    return [(weight.dtype, weight.device, weight.data_ptr()) for weight in part.parameters()]


@pytest.mark.parametrize(("name", "task"), [(SD15, "inpaint"), (SDXL, "image"), (SD35, "image"), (SD35, "inpaint")])
def test_loras_a_vae_and_words_reach_it_and_leave_nothing_behind(
    models: dict[str, ModelRecord],
    run: Runner,
    brought: dict[str, dict[str, Any]],
    name: str,
    task: str,
) -> None:
    given, record = brought[task], models[name]
    own = run(record, **given).digests
    changed = [
        run(record, **given, loras=[{"name": LORAS[name], "weight": 1.0}]).digests,
        run(record, **given, negative_prompt="a blue sea").digests,
        run(record, **given, prompt="a (red:1.4) house").digests,
        run(record, **given, prompt="a red sea").digests,
        run(record, **given, guidance_scale=record.guidance.max).digests,
        *([run(record, **given, vae="one").digests] if name == SD15 else []),
    ]
    assert len({digest for [digest] in [own, *changed]}) == 1 + len(changed)
    assert run(record, **given).digests == own


@pytest.mark.parametrize(("task", "rows"), [("text", 2 * 11), ("image", 2 * 7), ("inpaint", 2 * 7)])
def test_as_many_steps_are_run_as_the_strength_says(
    demo: ModelRecord,
    run: Runner,
    studio_engine: Engine,
    brought: dict[str, dict[str, Any]],
    task: str,
    rows: int,
) -> None:
    run(demo, num_inference_steps=1)
    with computed(studio_engine) as counted:
        made = run(demo, **brought[task] | ({"strength": 0.63} if task != "text" else {}), num_inference_steps=11)
    assert sum(counted) == rows
    assert [(step.step, step.total) for step in made.of(Step)] == [(at, rows // 2) for at in range(1, rows // 2 + 1)]


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux", "kandinsky22"])
def test_how_many_steps_are_to_come_is_known_from_the_first_one(run: Runner, tmp_path: Path, family: str) -> None:
    """Over the first picture and every window of the enlarged one."""
    record = tiny(family, tmp_path)
    record = record.model_copy(update={"size": record.size.model_copy(update={"max": record.size.native[0] + 16})})
    made = run(record, num_inference_steps=3, upscale={"factor": 2, "strength": 0.5})
    steps = made.of(Step)
    assert len(steps) > 10
    assert {step.total for step in steps} == {len(steps)}


@pytest.mark.parametrize("task", TASKS)
def test_a_picture_from_a_picture_that_the_safety_checker_blanks_is_an_error(
    run: Runner, brought: dict[str, dict[str, Any]], tmp_path: Path, task: str
) -> None:
    size = {"native": (64, 64), "multiple": 16, "min": 64, "max": 256}
    base = Registry.read().find(SD15).model_dump()
    strict = sd15_checkpoint(tmp_path / "strict", strict=True)
    with pytest.raises(EngineFailed, match="safety checker took the picture of seed 7"):
        run(ModelRecord.model_validate(base | {"source": str(strict), "size": size}), **brought[task])


def test_the_real_demo_stays_closer_to_a_picture_the_less_of_it_is_drawn_anew(engine: Engine, cache: Path) -> None:
    record, inputs = Registry.read().find("demo"), InputStore(cache / "inputs")

    def go(**fields: Any) -> Image.Image:
        request = parse_request(**{"prompt": "a red house in the hills", "seed": 3, "num_inference_steps": 10} | fields)
        [picture] = engine.generate(request, record, (0,), lambda _: None, lambda: False)
        return Image.frombytes("RGB", (picture.recipe.width, picture.recipe.height), picture.rgb)

    house = go()
    image = inputs.put(house)
    changed = [_apart(house, go(prompt="a blue sailboat on a lake", image=image, strength=s)) for s in (0.2, 0.5, 0.8)]
    assert changed == sorted(changed)
    assert changed[0] < changed[2] / 2
    mask = Image.new("L", house.size)
    mask.paste(255, (64, 64, 192, 192))
    repainted = go(prompt="a blue house in the hills", image=image, mask=inputs.put(mask))
    inside = (64, 64, 192, 192)
    assert _apart(house.crop(inside), repainted.crop(inside)) > 5
    outside = Image.composite(house, repainted, mask)
    assert outside.tobytes() == house.tobytes()


def _apart(first: Image.Image, second: Image.Image) -> float:
    """Root mean square of the difference, in values of 255."""
    return float(np.sqrt(np.mean((np.asarray(first, float) - np.asarray(second, float)) ** 2)))
