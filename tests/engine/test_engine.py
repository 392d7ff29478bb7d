"""The engine as a whole: what it finds, and what it says when a library is missing."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel

import pipeline.engine.engine as engine_module
from pipeline.engine import Engine
from pipeline.engine.placement import Placement
from pipeline.errors import EngineFailed, OutOfMemory
from pipeline.events import Event, Loading, Warned
from pipeline.models.registry import ModelRecord
from pipeline.request import parse_request
from tests.engine.conftest import Run
from tests.models.machines import machine


def test_the_report_names_devices_and_versions(engine: Engine) -> None:
    report = engine.report()
    assert report.hardware.devices[-1].kind == "cpu"
    assert report.versions["torch"] == torch.__version__


def test_a_device_can_be_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    assert Engine(cache).report().hardware.best.kind == "cpu"


def test_a_device_that_is_not_here_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_DEVICE", "xpu:7")
    with pytest.raises(EngineFailed, match="asks for xpu:7"):
        Engine(cache)


def test_an_offload_that_is_ignored_is_warned_about(run: Callable[..., Run]) -> None:
    made = run(offload="model")
    assert "Offload model is ignored" in made.of(Warned)[0].message
    assert made.pictures[0].recipe.offload == "none"


def test_recipes_tell_how_long_the_model_took_to_load_for_their_job(cache: Path, demo: ModelRecord) -> None:
    engine, two = Engine(cache), parse_request(prompt="a red house", seed=7, num_inference_steps=1, num_images=2)

    def seconds() -> list[float]:
        made = engine.generate(two, demo, range(2), lambda event: None, lambda: False)
        return [picture.recipe.load_seconds for picture in made]

    first, second = seconds()
    assert first == second > 0
    assert seconds() == [0, 0], "it was there already"
    engine.release()
    engine.load(demo, two, lambda event: None)
    assert seconds() == [0, 0], "it was made ready for nobody in particular"


# -- memory that runs out


@contextmanager
def full(kind: type[torch.nn.Module], error: type[BaseException], times: int) -> Iterator[list[str]]:
    """Let the first `times` calls of any model of class `kind` run out of memory; the list tells of each."""
    told: list[str] = []

    def fill(module: torch.nn.Module, inputs: object) -> None:
        if isinstance(module, kind) and len(told) < times:
            told.append(type(module).__name__)
            raise error("out of memory")

    handle = torch.nn.modules.module.register_module_forward_pre_hook(fill)
    try:
        yield told
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("error", "whose"), [(torch.OutOfMemoryError, "The GPU's memory ran out"), (MemoryError, "Main memory ran out")]
)
def test_when_memory_runs_out_the_next_placement_is_tried_and_said(
    cache: Path, demo: ModelRecord, error: type[BaseException], whose: str
) -> None:
    engine, made = Engine(cache), Run()
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2)
    with full(SD3Transformer2DModel, error, times=1):
        made.pictures.extend(engine.generate(request, demo, [0, 1], made.events.append, lambda: False))
    [warned] = [event.message for event in made.of(Warned)]
    assert whose in warned
    assert "tried once more with quantization nf4 and offload none on cpu" in warned
    assert [picture.recipe.quantization for picture in made.pictures] == ["nf4", "nf4"]
    assert [picture.recipe.seed for picture in made.pictures] == [7, 8]

    again = list(engine.generate(request, demo, [2], made.events.append, lambda: False))
    assert again[0].recipe.quantization == "nf4", "what ran out once is not tried again"
    assert len(made.of(Warned)) == 1


def test_pictures_that_were_made_before_memory_ran_out_are_not_made_twice(cache: Path, demo: ModelRecord) -> None:
    engine, pictures = Engine(cache), []
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2)
    for picture in engine.generate(request, demo, [0, 1], lambda event: None, lambda: False):
        pictures.append(picture)
        if len(pictures) == 1:
            filled = full(SD3Transformer2DModel, torch.OutOfMemoryError, times=1)
            filled.__enter__()
    filled.__exit__(None, None, None)
    assert [picture.index for picture in pictures] == [0, 1]
    assert [picture.recipe.quantization for picture in pictures] == ["none", "nf4"]


def test_when_it_runs_out_twice_the_error_names_what_would_fit_and_the_engine_goes_on(
    cache: Path, demo: ModelRecord
) -> None:
    engine = Engine(cache)
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2, width=256, height=256)
    with full(SD3Transformer2DModel, torch.OutOfMemoryError, times=2) as told:
        with pytest.raises(OutOfMemory, match="memory ran out") as caught:
            list(engine.generate(request, demo, [0], lambda event: None, lambda: False))
        assert len(told) == 2
    assert caught.value.info.remedy
    assert engine.loaded is None
    assert list(engine.generate(request, demo, [0], lambda event: None, lambda: False))


def test_memory_is_given_back_before_the_second_try(cache: Path, demo: ModelRecord) -> None:
    engine, pipelines, alive = Engine(cache), [], []
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2)
    engine.load(demo, request, lambda event: None)
    pipelines.append(weakref.ref(engine._loaded.pipeline.transformer))

    def emit(event: Event) -> None:
        if isinstance(event, Loading) and event.done == 1:
            alive.append(pipelines[0]() is not None)

    with full(SD3Transformer2DModel, torch.OutOfMemoryError, times=1):
        list(engine.generate(request, demo, [0], emit, lambda: False))
    assert alive == [False]


def test_running_out_while_loading_is_treated_alike(
    cache: Path, demo: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, events, precisions = Engine(cache), [], []
    really = engine_module.load

    def short(record: ModelRecord, placement: Placement, *rest: Any) -> Any:
        precisions.append(placement.quantization)
        if placement.quantization == "none":
            raise MemoryError
        return really(record, placement, *rest)

    monkeypatch.setattr(engine_module, "load", short)
    engine.load(demo, parse_request(prompt="-"), events.append)
    assert precisions == ["none", "nf4"]
    assert engine.loaded == demo.id
    assert "Main memory ran out" in next(event.message for event in events if isinstance(event, Warned))


def test_what_cannot_fit_is_refused_before_it_is_loaded(cache: Path, demo: ModelRecord) -> None:
    engine = Engine(cache)
    engine._report = engine._report.model_copy(update={"hardware": machine(ram=0.3)})
    with pytest.raises(OutOfMemory, match="does not fit"):
        engine.load(demo, parse_request(prompt="-"), lambda event: None)
    assert engine.loaded is None


def test_a_model_that_fits_by_no_estimate_is_tried_and_said(cache: Path, demo: ModelRecord) -> None:
    engine, events = Engine(cache), []
    engine._report = engine._report.model_copy(update={"hardware": machine(ram=0.51)})
    engine.load(demo, parse_request(prompt="-"), events.append)
    assert "it is tried all the same" in next(event.message for event in events if isinstance(event, Warned))
    assert engine.loaded == demo.id


def test_another_size_does_not_load_the_model_again(cache: Path, demo: ModelRecord) -> None:
    engine = Engine(cache)
    engine.load(demo, parse_request(prompt="-", width=64, height=64), lambda event: None)
    held = engine._loaded
    engine.load(demo, parse_request(prompt="-", width=128, height=128), lambda event: None)
    assert engine._loaded is held


@pytest.mark.parametrize("package", ["torch", "diffusers", "transformers"])
def test_a_missing_library_is_a_sentence(package: str) -> None:
    script = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from pipeline.errors import DependencyMissing\n"
        "try:\n    import pipeline.engine\n"
        "except DependencyMissing as error:\n    print(error.info.message, error.info.remedy)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert package in answer.stdout
    assert "make setup" in answer.stdout


def test_a_missing_bitsandbytes_only_matters_to_quantised_models(
    run: Callable[..., Run], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import DependencyMissing

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(DependencyMissing, match="choose quantization none"):
        run(quantization="nf4")
    assert run().pictures
