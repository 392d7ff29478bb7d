"""The sidebar's fields as data."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.inputs import Upscale
from pipeline.models import schedulers
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import GenerationRequest, LoraUse
from ui import either, form

REGISTRY = Registry.read()
SHAPED = REGISTRY.find("hunyuan")
FAST = REGISTRY.find("sdxl-turbo")
LARGE = REGISTRY.find("stable-diffusion-3.5-medium")
DEMO = REGISTRY.find("demo")
MAX_PIXELS = 4_194_304


@pytest.mark.parametrize("record", REGISTRY.records, ids=lambda record: record.id)
def test_every_preset_is_a_size_that_the_model_takes_and_the_native_one_comes_first(record: ModelRecord) -> None:
    sizes = list(form.presets(record, MAX_PIXELS))
    assert sizes[0] == record.size.native
    assert not record.size.shapes or set(sizes) == set(record.size.shapes)
    for width, height in sizes:
        record.check(GenerationRequest(prompt="x", width=width, height=height))


def test_presets_are_the_sizes_that_people_ask_for_and_shapes_of_about_the_native_area() -> None:
    sizes = form.presets(LARGE, MAX_PIXELS)
    assert set(form.COMMON) <= set(sizes)
    own = [(width, height) for width, height in sizes if (width, height) not in form.COMMON]
    assert {round(width / height, 1) for width, height in own} >= {0.7, 1.5, 1.8}
    assert all(0.9 < width * height / 1024**2 < 1.1 for width, height in own)


def test_common_sizes_that_a_model_cannot_make_are_not_offered() -> None:
    sizes = form.presets(FAST, MAX_PIXELS)
    assert (1024, 768) in sizes
    assert (1280, 720) not in sizes
    assert (1024, 1024) not in form.presets(FAST, 512 * 512)


def test_width_and_height_change_places() -> None:
    turned = form.turned(form.blank(LARGE) | {"size": (1024, 768)}, LARGE, MAX_PIXELS)
    assert turned == {"size": (768, 1024), "width": 768, "height": 1024}
    own = {"size": form.CUSTOM, "width": 1024, "height": 768}
    assert form.turned(form.blank(LARGE) | own, LARGE, MAX_PIXELS) == {
        "size": form.CUSTOM,
        "width": 768,
        "height": 1024,
    }


def test_a_square_and_a_shape_that_a_model_has_only_one_way_round_cannot_be_turned() -> None:
    assert form.turned(form.blank(LARGE), LARGE, MAX_PIXELS) is None
    lying = SHAPED.model_copy(update={"size": SHAPED.size.model_copy(update={"shapes": ((1024, 1024), (1280, 768))})})
    assert form.turned(form.blank(lying) | {"size": (1280, 768)}, lying, MAX_PIXELS) is None


def test_a_model_of_one_size_offers_no_other() -> None:
    assert DEMO.has_one_size
    assert list(form.presets(DEMO, MAX_PIXELS)) == [DEMO.size.native]


def test_a_blank_form_asks_for_what_the_record_recommends() -> None:
    request = form.to_request(form.blank(LARGE) | {"prompt": "a boat"}, LARGE)
    assert request.num_inference_steps == LARGE.steps.default
    assert request.guidance_scale == LARGE.guidance.default
    assert (request.width, request.height) == LARGE.size.native
    assert request.seed == -1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seed": 0, "guidance_scale": 1.0, "num_inference_steps": 1},
        {"width": 1248, "height": 832, "negative_prompt": "fog", "quantization": "nf4", "offload": "group"},
        {"width": 512, "height": 1024, "num_images": 4},
        {"scheduler": "FlowMatchHeunDiscreteScheduler"},
        {"seed": 5, "variation_seed": 9, "variation_strength": 0.2},
        {"quantization": "nf4-full", "component_quantization": {"transformer": "none"}},
        {"upscale": Upscale(factor=4, upscaler="sharp", strength=0.3)},
        {"loras": (LoraUse(name="ink", weight=0.5), LoraUse(name="film.v2")), "vae": "clear"},
    ],
)
def test_a_form_filled_from_a_request_asks_for_the_same_again(fields: dict[str, Any]) -> None:
    request = GenerationRequest(prompt="a boat", **fields)
    filled = form.filled(request, LARGE, MAX_PIXELS)
    again = form.to_request(filled, LARGE)
    assert {name: getattr(again, name) for name in fields} == fields


@pytest.mark.parametrize("record", REGISTRY.records, ids=lambda record: record.id)
def test_the_blank_form_of_every_model_is_a_request_that_it_takes_without_complaint(record: ModelRecord) -> None:
    request = form.to_request(form.blank(record) | {"prompt": "a boat"}, record)
    record.check(request)
    assert record.ignored(request) == []


def test_what_a_model_leaves_no_choice_of_is_its_default_whatever_another_model_left_in_the_form() -> None:
    fixed = LARGE.model_copy(
        update={
            "steps": LARGE.steps.model_copy(update={"default": 4, "min": 4, "max": 4}),
            "guidance": LARGE.guidance.model_copy(update={"default": 0.0, "min": 0.0, "max": 0.0}),
        }
    )
    assert not form.takes_steps(fixed)
    assert not form.takes_guidance(fixed)
    left = {"prompt": "a boat", "num_inference_steps": 40, "guidance_scale": 4.5}
    request = form.to_request(form.blank(fixed) | left, fixed)
    assert (request.num_inference_steps, request.guidance_scale) == (4, 0.0)


def test_a_size_that_a_model_of_fixed_shapes_cannot_make_becomes_its_native_one() -> None:
    filled = form.filled(GenerationRequest(prompt="a boat", width=512, height=512), SHAPED, MAX_PIXELS)
    assert filled["size"] == SHAPED.size.native


def test_the_models_own_scheduler_is_no_change() -> None:
    own = GenerationRequest(prompt="a boat", scheduler=schedulers.of(LARGE)[0])
    filled = form.filled(own, LARGE, MAX_PIXELS)
    assert filled["scheduler"] == form.OWN
    assert form.changed(filled, LARGE) == 0


def test_what_is_filled_in_has_no_style_for_its_prompt_is_whole() -> None:
    assert form.filled(GenerationRequest(prompt="ink drawing of a boat"), LARGE, MAX_PIXELS)["style"] == ""


def test_precision_is_chosen_for_components_with_linear_layers_only() -> None:
    assert "transformer" in form.components(LARGE)
    assert "text_encoder_3" in form.components(LARGE)
    assert "vae" not in form.components(LARGE)


def test_full_four_bits_are_offered_where_t5_keeps_layers_back() -> None:
    assert form.has_kept_layers(LARGE)
    assert not form.has_kept_layers(FAST)


def test_an_empty_prompt_names_its_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        form.to_request(form.blank(DEMO), DEMO)
    assert caught.value.info.field == "prompt"


def test_what_is_changed_under_advanced_is_counted() -> None:
    assert form.changed(form.blank(DEMO), DEMO) == 0
    assert form.changed(form.blank(DEMO) | {"quantization": "nf4", "offload": "none"}, DEMO) == 2
    more = {"loras": ["ink"], "vae": "clear", form.precision_key("transformer"): "nf4"}
    assert form.changed(form.blank(DEMO) | more, DEMO) == 3


def test_a_form_without_a_prompt_can_be_planned_and_one_with_a_wrong_field_cannot() -> None:
    request = either.without_prompt(form.blank(DEMO), DEMO)
    assert request is not None
    assert request.num_inference_steps == DEMO.steps.default
    assert either.without_prompt(form.blank(DEMO) | {"seed": -5}, DEMO) is None
