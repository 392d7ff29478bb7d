"""How long it takes, by what was made before: honest, and not misled by a slow moment."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.estimate import Pace, estimate, estimate_hosted, waiting_seconds
from pipeline.inputs import Margins, Upscale
from pipeline.models.hardware import Hardware, cpu
from pipeline.models.hosted import HostedModel
from pipeline.models.planning.ladder import Case
from pipeline.models.planning.plan import Plan, plan
from pipeline.models.registry import ModelRecord, Registry
from pipeline.recipe import HostedUse, Recipe
from pipeline.request import GenerationRequest
from tests.gallery.pictures import make_recipe

REQUEST = GenerationRequest(prompt="a house", num_inference_steps=10, width=512, height=512, guidance_scale=4)


PICTURE = "a" * 64 + "-512x512"


@pytest.fixture(scope="module")
def record() -> ModelRecord:
    return Registry.read().find("demo")


@pytest.fixture(scope="module")
def planned(record: ModelRecord) -> Plan:
    return plan(Case.unseen(record, REQUEST, Hardware(devices=(cpu(),))))


def made(count: int = 1, **changes: Any) -> list[Recipe]:
    """Pictures that were made just as `REQUEST` asks, in ten seconds each."""
    usual = {
        "model": "demo",
        "device": "here",
        "num_inference_steps": 10,
        "width": 512,
        "height": 512,
        "guidance_scale": 4.0,
        "seconds": 10.0,
    }
    return [make_recipe(**usual | changes) for _ in range(count)]


def test_pictures_from_pictures_are_judged_by_the_steps_that_were_run(record: ModelRecord) -> None:
    half = made(3, image=PICTURE, strength=0.5, seconds=5.0)
    assert seconds(record, half) == pytest.approx(10)


def test_mere_enlargements_say_nothing_about_drawing(record: ModelRecord) -> None:
    quick = made(9, image=PICTURE, strength=0.0, upscale=Upscale(), seconds=0.1)
    assert seconds(record, quick) is None
    assert seconds(record, made(3) + quick) == pytest.approx(10)
    assert seconds(record, made(3), image=PICTURE, strength=0.0, upscale=Upscale()) is None


def seconds(record: ModelRecord, recipes: list[Recipe], **changes: Any) -> float | None:
    request = REQUEST.model_copy(update=changes)
    return Pace(recipes, "demo", "here").picture_seconds(request, record, "none")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 10),
        ({"num_inference_steps": 20}, 20),
        ({"width": 1024}, 20),
        ({"width": 256, "height": 256, "num_inference_steps": 40}, 10),
        ({"image": PICTURE, "strength": 0.3}, 3),
        ({"image": PICTURE, "mask": PICTURE}, 10),
        ({"upscale": Upscale(factor=2)}, 10),
        ({"upscale": Upscale(factor=2, strength=0.5)}, 10 + 0.5 * 4 * 10),
        ({"image": PICTURE, "outpaint": Margins(left=256), "width": None, "height": None}, 10),
    ],
)
def test_time_goes_with_steps_and_pixels(record: ModelRecord, changes: dict[str, Any], expected: float) -> None:
    assert seconds(record, made(3), **changes) == pytest.approx(expected)


def test_a_slow_moment_does_not_mislead(record: ModelRecord) -> None:
    assert seconds(record, [*made(2), *made(1, seconds=900.0), *made(2, seconds=10.5)]) == pytest.approx(10.5)


def test_nothing_is_said_by_pictures_of_another_model_or_another_device(record: ModelRecord) -> None:
    assert seconds(record, [*made(5, model="other"), *made(5, device="there")]) is None
    assert seconds(record, []) is None


def test_pictures_of_the_same_kind_count_when_they_are_enough(record: ModelRecord) -> None:
    small = {"width": 256, "height": 256, "seconds": 1.0}
    assert seconds(record, [*made(9, **small), *made(3)]) == pytest.approx(10)
    assert seconds(record, [*made(9, **small), *made(2)]) == pytest.approx(4)
    unguided = {"guidance_scale": 1.0, "seconds": 5.0}
    assert seconds(record, [*made(9, **unguided), *made(3)]) == pytest.approx(10)
    assert seconds(record, [*made(9), *made(3, **unguided)], guidance_scale=0.0) == pytest.approx(5)


def test_enlargements_of_the_same_kind_count_when_they_are_enough(record: ModelRecord) -> None:
    upscale = Upscale(factor=4, upscaler="darkroom-x4")
    large = {"width": 4 * 512, "height": 4 * 512, "work_size": (512, 512), "upscale": upscale, "seconds": 25.0}
    assert seconds(record, [*made(3, **large), *made(9)], upscale=upscale) == pytest.approx(25)
    assert seconds(record, [*made(9, **large), *made(3)]) == pytest.approx(10)


def test_other_weights_count_only_where_there_are_none_of_the_same(record: ModelRecord) -> None:
    four_bits = made(9, quantization="nf4", seconds=30.0)
    assert seconds(record, [*four_bits, *made(1)]) == pytest.approx(10)
    assert seconds(record, four_bits) == pytest.approx(30)


def test_steps_and_size_that_are_not_asked_for_are_the_models_own(record: ModelRecord) -> None:
    width, height = record.size.native
    own = {"width": width, "height": height, "num_inference_steps": record.steps.default, "seconds": 3.0}
    plain = {"num_inference_steps": None, "width": None, "height": None, "guidance_scale": None}
    assert seconds(record, made(3, **own), **plain) == pytest.approx(3)


def test_loading_counts_when_the_model_is_not_there_and_says_when_its_time_is_not_known(
    record: ModelRecord, planned: Plan
) -> None:
    two = REQUEST.model_copy(update={"num_images": 2})
    loaded_once = Pace([*made(1, load_seconds=7.0), *made(3)], "demo", "here")
    never_loaded = Pace(made(4), "demo", "here")

    def told(pace: Pace, loaded: bool) -> tuple[float | None, str]:
        found = estimate(two, record, planned, pace, loaded, 0.0)
        return found.seconds, found.basis

    assert told(loaded_once, True) == (pytest.approx(20), "from 4 earlier pictures with this model here")
    assert told(loaded_once, False) == (pytest.approx(27), "from 4 earlier pictures with this model here")
    assert told(never_loaded, False)[1].endswith("; the time to load it is not counted")
    assert told(Pace([], "demo", "here"), False) == (None, "not known before the first picture")


def test_memory_is_the_plans(record: ModelRecord, planned: Plan) -> None:
    pace = Pace([], "demo", "here")
    assert estimate(REQUEST, record, planned, pace, True, 0.0).memory_bytes == planned.peak_device_bytes
    assert estimate(REQUEST, record, None, pace, True, 0.0).memory_bytes is None


@pytest.mark.parametrize(
    ("busy", "before", "expected"),
    [
        ([0.0], [], 0.0),
        ([5.0], [10.0, 20.0], 35.0),
        ([5.0, 0.0], [10.0, 20.0], 10.0),
        ([5.0, 0.0], [], 0.0),
        ([None], [], None),
        ([5.0], [None], None),
        ([], [], None),
    ],
)
def test_one_waits_for_the_first_worker_that_is_free(
    busy: list[float | None], before: list[float | None], expected: float | None
) -> None:
    assert waiting_seconds(busy, before) == expected


MODEL = HostedModel(
    id="mill/wheel",
    name="Wheel",
    provider="mill",
    source="wheel-1",
    summary="",
    size={"native": (64, 48), "multiple": 1, "min": 16, "max": 4096},
    prompt_characters=1000,
    images_per_call=2,
    options={"quality": {"choices": ("low", "high"), "default": "low", "summary": ""}},
)


def came(count: int = 1, **changes: Any) -> list[Recipe]:
    """Pictures that a provider made, just as it would by itself, in calls of ten seconds."""
    used = HostedUse(provider="The Mill", host="mill.invalid", model="wheel-1")
    usual = {"model": "mill/wheel", "num_inference_steps": 0, "guidance_scale": 0.0, "width": 64, "height": 48}
    named = {"hosted": used, "options": {"quality": "low"}, "seconds": 10.0, "device": "The Mill (mill.invalid)"}
    return [make_recipe(**usual | named | changes) for _ in range(count)]


def hosted_seconds(recipes: list[Recipe], **changes: Any) -> float | None:
    return estimate_hosted(GenerationRequest(prompt="a boat", **changes), MODEL, recipes, 0.0).seconds


def test_a_hosted_model_takes_as_long_as_its_calls_took() -> None:
    assert hosted_seconds(came(3)) == 10
    assert hosted_seconds(came(3), num_images=5) == 30, "in three calls"
    assert hosted_seconds([*came(2), *came(1, seconds=900.0)]) == 10


def test_calls_with_the_same_options_then_of_the_same_size_count_alone_where_there_are_some() -> None:
    fine = came(1, options={"quality": "high"}, seconds=60.0)
    large = came(1, width=640, height=480, seconds=25.0)
    small_as_shape = came(1, width=60, height=44, work_size=(64, 48), seconds=11.0)
    assert hosted_seconds([*came(5), *fine], options={"quality": "high"}) == 60
    assert hosted_seconds([*came(5), *large], width=640, height=480) == 25
    assert hosted_seconds([*large, *small_as_shape]) == 11
    assert hosted_seconds(large) == 25


def test_the_estimate_of_a_hosted_model_says_what_it_stands_on() -> None:
    request = GenerationRequest(prompt="a boat")
    found = estimate_hosted(request, MODEL, came(1), 0.0)
    assert (found.waits, found.memory_bytes, found.basis) == (0, None, "from 1 earlier picture with this model here")
    unknown = estimate_hosted(request, MODEL, made(3), None)
    assert (unknown.seconds, unknown.waits, unknown.basis) == (None, None, "not known before the first picture")


def test_pictures_of_providers_say_nothing_about_this_machine(record: ModelRecord) -> None:
    assert seconds(record, [*made(3), *came(9, model="demo", seconds=900.0)]) == pytest.approx(10)
