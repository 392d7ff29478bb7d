"""What a hosted model takes, ignores and refuses, until when, and how it is found."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.errors import BadSettings, InvalidRequest, ModelRetired, UnknownModel
from pipeline.models.hosted import SOON, HostedModel, Option, Provider
from pipeline.models.hosted_size import HostedSize
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import GenerationRequest, Stage, parse_request

SHIPPED = Registry.read()
PICTURE = "a" * 64 + "-640x480"
MASK = "b" * 64 + "-640x480"
PLAIN: dict[str, Any] = {
    "id": "mill/wheel",
    "name": "Wheel",
    "provider": "mill",
    "source": "wheel-1",
    "summary": "Makes what it is told.",
    "tasks": ("text", "image"),
    "size": {"native": (1024, 768), "multiple": 16, "min": 256, "max": 2048, "min_pixels": 2**18, "max_pixels": 2**21},
    "prompt_characters": 20,
    "options": {"quality": {"choices": ("low", "high"), "default": "low", "summary": "How fine."}},
}
SHAPES = HostedSize(
    native=(1024, 1024),
    multiple=1,
    min=64,
    max=8192,
    ratios=("1:1", "16:9", "9:16", "3:2"),
    resolutions={"1K": 1024, "2K": 2048},
)
MILL = """
[[provider]]
id = "mill"
name = "The Mill"
adapter = "mill"
base_url = "https://mill.invalid/v1"
"""
WHEEL = """
[[model]]
id = "mill/wheel"
name = "Wheel"
provider = "mill"
source = "wheel-1"
summary = "Makes what it is told."
size = { native = [1024, 1024], multiple = 16, min = 256, max = 2048 }
prompt_characters = 4000
"""


def model(**changes: Any) -> HostedModel:
    return HostedModel.model_validate(PLAIN | changes)


DARKROOM = model(
    tasks=("text", "image", "inpaint"),
    darkroom=True,
    steps={"default": 9, "min": 2, "max": 20},
    guidance={"default": 3, "min": 1, "max": 10},
    schedulers=("Euler", "Heun"),
)


def request(**fields: Any) -> GenerationRequest:
    return parse_request(**{"prompt": "a boat"} | fields)


def refused(one: HostedModel, **fields: Any) -> tuple[str, str | None]:
    """The sentence with which a request is refused, and the field at fault."""
    with pytest.raises(InvalidRequest) as raised:
        one.check(request(**fields))
    return raised.value.info.sentence, raised.value.info.field


def own(folder: Path, text: str) -> Registry:
    """The registry with one's own hosted models."""
    path = folder / "hosted.toml"
    path.write_text(text, encoding="utf-8")
    return Registry.read(own_hosted=path)


# -- what it takes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"image": PICTURE}, {"options": {"quality": "high"}}, {"width": 2048}])
def test_what_a_model_takes_is_taken(given: dict[str, Any]) -> None:
    model().check(request(**given))


@pytest.mark.parametrize(
    ("given", "said", "field"),
    [
        ({"loras": ({"name": "fog"},)}, "takes no LoRAs", "loras"),
        ({"vae": "fog"}, "takes no VAE", "vae"),
        ({"controls": ({"net": "edges", "image": PICTURE},)}, "takes no ControlNets", "controls"),
        ({"variation_strength": 0.1}, "makes no variations", "variation_strength"),
        ({"image": PICTURE, "outpaint": {"left": 64}}, "does not extend pictures", "outpaint"),
        ({"upscale": {"factor": 2}}, "does not enlarge", "upscale"),
        ({"image": PICTURE, "strength": 0, "upscale": {"factor": 2}}, "does not enlarge", "upscale"),
        ({"then": (Stage(strength=0.5),)}, "cannot be part of a chain", "then"),
        ({"image": PICTURE, "mask": MASK}, "cannot repaint a part of a picture", "mask"),
        ({"image": PICTURE, "mask": MASK, "mask_area": "masked"}, "draws whole pictures only", "mask_area"),
    ],
)
def test_what_only_a_model_of_this_machine_can_do_is_refused(given: dict[str, Any], said: str, field: str) -> None:
    sentence, at_fault = refused(model(), **given)
    assert f"Wheel {said}" in sentence
    assert at_fault == field


def test_one_that_draws_from_words_alone_takes_no_picture() -> None:
    assert refused(model(tasks=("text",)), image=PICTURE) == (
        "Wheel cannot work from a picture. Leave it out, or choose another model.",
        "image",
    )


def test_a_prompt_is_read_to_its_end_or_not_at_all() -> None:
    model().check(request(prompt="a" * 20))
    sentence, field = refused(model(), prompt="a" * 21)
    assert (sentence, field) == ("Wheel reads 20 characters of prompt; this one has more. Shorten it.", "prompt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quality": "best"}, "quality of Wheel cannot be best. Choose one of low, high."),
        ({"colour": "red"}, "Wheel has no option colour. It has quality."),
    ],
)
def test_an_option_has_the_values_that_the_record_names(options: dict[str, str], said: str) -> None:
    assert refused(model(), options=options) == (said, "options")


def test_a_model_without_options_says_so() -> None:
    assert refused(model(options={}), options={"quality": "low"})[0] == "Wheel has no option quality. It has none."


def test_options_that_are_not_given_have_the_models_own_value() -> None:
    assert model().chosen(request()) == {"quality": "low"}
    assert model().chosen(request(options={"quality": "high"})) == {"quality": "high"}


def test_an_option_of_a_record_begins_with_one_of_its_choices() -> None:
    with pytest.raises(ValidationError, match="default best is not among the choices"):
        Option(choices=("low",), default="best", summary="")


def test_a_checkpoint_has_no_options() -> None:
    with pytest.raises(InvalidRequest, match="has no option quality: only hosted models have some"):
        SHIPPED.find("demo").check(request(options={"quality": "low"}))


# -- sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "said", "field"),
    [
        ((1000, 1024), "cannot make a side of 1000 pixels. Choose 256 to 2048 pixels in steps of 16", "width"),
        ((None, 4096), "cannot make a side of 4096 pixels", "height"),
        ((256, 256), "a picture of 256 × 256. Choose 262,144 to 2,097,152 pixels in all", "width"),
        ((2048, 2048), "a picture of 2048 × 2048", "width"),
    ],
)
def test_a_size_is_within_what_the_provider_makes(size: tuple[Any, Any], said: str, field: str) -> None:
    sentence, at_fault = refused(model(), width=size[0], height=size[1])
    assert said in sentence
    assert at_fault == field


def test_a_shape_may_be_too_long() -> None:
    one = model(size=PLAIN["size"] | {"max_aspect": 3.0, "min_pixels": 1})
    one.check(request(width=768, height=256))
    said = "1024 × 256 is too long a shape for Wheel. One side may be 3 times the other."
    assert refused(one, width=1024, height=256) == (said, "width")


def test_a_provider_may_make_a_few_sizes_only() -> None:
    one = model(size=PLAIN["size"] | {"shapes": ((1024, 768), (768, 1024))})
    one.check(request(width=768, height=1024))
    assert refused(one, width=768)[0].endswith("It makes 1024 × 768, 768 × 1024 pixels only.")
    assert one.size.offered == ((1024, 768), (768, 1024))


def test_a_size_that_is_not_given_is_the_models_own() -> None:
    assert model().asked_size(request()) == (1024, 768)
    assert model().asked_size(request(height=1024)) == (1024, 1024)


@pytest.mark.parametrize(
    ("asked", "named", "made"),
    [
        ((1024, 1024), ("1:1", "1K"), (1024, 1024)),
        ((1920, 1080), ("16:9", "1K"), (1360, 768)),
        ((1440, 2560), ("9:16", "2K"), (1536, 2736)),
        ((640, 480), ("3:2", "1K"), (1248, 832)),
    ],
)
def test_where_a_provider_names_shapes_the_nearest_is_asked_for(
    asked: tuple[int, int], named: tuple[str, str], made: tuple[int, int]
) -> None:
    assert SHAPES.nearest(*asked) == named
    assert SHAPES.made(*asked) == made


def test_where_pixels_are_asked_for_they_come() -> None:
    plain = model().size
    assert (plain.nearest(640, 480), plain.made(640, 480), plain.offered) == (("", ""), (640, 480), ())


def test_what_can_be_chosen_of_shapes_is_each_at_each_resolution() -> None:
    assert len(SHAPES.offered) == 8
    assert SHAPES.offered[:2] == ((1024, 1024), (1360, 768))
    assert SHAPES.offered[4] == (2048, 2048)


# -- what it ignores --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"num_inference_steps": 5}, "steps"),
        ({"guidance_scale": 0.0}, "guidance"),
        ({"scheduler": "DDIMScheduler"}, "a scheduler"),
        ({"quantization": "nf4"}, "a precision"),
        ({"component_quantization": {"transformer": "nf4"}}, "a precision"),
        ({"offload": "none"}, "an offload"),
        ({"negative_prompt": "fog"}, "a negative prompt"),
        ({"seed": 0}, "a seed"),
        ({"image": PICTURE, "strength": 0.5}, "a strength"),
        ({"image": PICTURE, "fit": "pad"}, "a fit"),
        ({"image": PICTURE, "mask_feather": 3}, "a feather"),
    ],
)
def test_what_a_model_does_not_use_is_said(given: dict[str, Any], setting: str) -> None:
    assert model().ignored(request(**given)) == [f"Wheel does not take {setting}; it is ignored."]


@pytest.mark.parametrize(
    "given",
    [
        {"num_inference_steps": 4, "guidance_scale": 0.0, "scheduler": "Heun"},
        {"image": PICTURE, "mask": MASK, "strength": 0.5, "fit": "pad", "mask_feather": 3},
    ],
)
def test_another_darkroom_takes_what_is_ignored_elsewhere(given: dict[str, Any]) -> None:
    DARKROOM.check(request(**given))
    assert DARKROOM.ignored(request(**given)) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"quantization": "nf4"}, "quantization"),
        ({"component_quantization": {"transformer": "nf4"}}, "component_quantization"),
        ({"offload": "none"}, "offload"),
    ],
)
def test_another_darkroom_is_not_told_how_to_hold_its_models(given: dict[str, Any], field: str) -> None:
    said = "Wheel is held as the studio chooses that has it. Leave it out, or choose another model."
    assert refused(DARKROOM, **given) == (said, field)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_inference_steps": 1}, "Wheel cannot draw in 1 step. Choose 2 or more."),
        ({"scheduler": "DDIM"}, "Wheel cannot use the scheduler DDIM. Possible: Euler, Heun."),
    ],
)
def test_what_a_model_of_another_darkroom_cannot_do_is_refused_before_it_is_asked(
    given: dict[str, Any], said: str
) -> None:
    assert refused(DARKROOM, **given) == (said, *given)


def test_where_nothing_is_known_of_another_darkroom_s_schedulers_it_says_itself_which_it_has() -> None:
    model(darkroom=True).check(request(scheduler="DDIM", num_inference_steps=1))


def test_nothing_is_said_where_everything_is_used() -> None:
    able = model(seed=True, negative_prompt=True)
    assert able.ignored(request(seed=7, negative_prompt="fog", width=1024, height=1024)) == []


def test_a_size_that_has_no_name_is_said_with_what_is_asked_for_instead() -> None:
    named = model(size=SHAPES.model_dump())
    assert named.ignored(request(width=1920, height=1080)) == [
        "Wheel makes shapes, not pixels: 1920 × 1080 is asked for as 16:9 at 1K."
    ]
    assert named.ignored(request(width=1360, height=768)) == []
    assert named.ignored(request()) == []


# -- until when -------------------------------------------------------------------------------------------------

LAST = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 10, 1), ""),
        (date(2026, 10, 2), "Wheel is retired on 1 December 2026. Use mill/wind instead."),
        (date(2026, 11, 30), "Wheel is retired on 1 December 2026. Use mill/wind instead."),
        (LAST, "Wheel was retired on 1 December 2026. Use mill/wind instead."),
    ],
)
def test_a_retirement_is_said_when_it_is_near_or_past(today: date, said: str) -> None:
    assert (LAST - date(2026, 10, 2)).days == SOON
    assert model(retires=LAST, replacement="mill/wind").retires_soon(today) == said


def test_a_model_is_offered_until_the_day_of_its_retirement() -> None:
    one = model(retires=LAST, replacement="mill/wind")
    one.check_offered(date(2026, 11, 30))
    with pytest.raises(ModelRetired) as raised:
        one.check_offered(LAST)
    told = "Wheel was retired on 1 December 2026. Choose mill/wind instead."
    assert (raised.value.info.sentence, raised.value.info.field) == (told, "model")


def test_without_a_successor_any_other_model_will_do() -> None:
    with pytest.raises(ModelRetired, match="Choose another model"):
        model(retires=LAST).check_offered(LAST)
    assert model(retires=LAST).retires_soon(LAST) == "Wheel was retired on 1 December 2026."


def test_a_retired_model_takes_no_request_at_all() -> None:
    with pytest.raises(ModelRetired):
        model(retires=date(2020, 1, 1)).check(request(loras=({"name": "fog"},)))


def test_a_model_without_a_date_stays() -> None:
    assert model().retires_soon(date(2100, 1, 1)) == ""
    model().check_offered(date(2100, 1, 1))


# -- records ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", SHIPPED.hosted, ids=lambda one: one.id)
def test_every_record_that_ships_can_be_asked_for_as_it_stands(one: HostedModel) -> None:
    one.model_copy(update={"retires": None}).check(request(prompt="x"))
    assert SHIPPED.provider(one).id == one.provider
    assert one.evidence, "where its figures come from"


@pytest.mark.parametrize("model_id", ["wheel", "mill/", "demo", "/wheel"])
def test_a_hosted_model_has_its_providers_name_before_its_own(model_id: str) -> None:
    with pytest.raises(ValidationError, match="does not begin with the provider's, mill/"):
        model(id=model_id)


@pytest.mark.parametrize("provider_id", ["", "The Mill", "a/b", "../x"])
def test_a_provider_has_an_id_of_plain_letters(provider_id: str) -> None:
    with pytest.raises(ValidationError):
        Provider(id=provider_id, name="", adapter="mill", base_url="")


# -- found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai/gpt-image-2", "gpt-image-2", " OpenAI/GPT-image-2 ", "GPT Image 2"])
def test_a_hosted_model_is_found_by_its_id_and_by_its_whole_name(name: str) -> None:
    assert SHIPPED.find_any(name).id == "openai/gpt-image-2"


def test_who_asks_for_a_checkpoint_is_told_that_it_is_hosted() -> None:
    with pytest.raises(InvalidRequest, match="GPT Image 2 is hosted: there is no checkpoint of it"):
        SHIPPED.find("gpt-image-2")


def test_of_several_the_one_that_runs_here_is_meant(tmp_path: Path) -> None:
    registry = own(tmp_path, MILL + WHEEL.replace("mill/wheel", "mill/demo"))
    assert isinstance(registry.find_any("demo"), ModelRecord)
    assert isinstance(registry.find_any("mill/demo"), HostedModel)


def test_a_part_of_a_name_means_no_hosted_model_but_names_them(tmp_path: Path) -> None:
    registry = own(tmp_path, MILL + WHEEL + WHEEL.replace("mill/wheel", "mill/wheel-2"))
    assert registry.find_any("mill/wheel").id == "mill/wheel"
    assert registry.find_any("wheel-2").id == "mill/wheel-2"
    with pytest.raises(UnknownModel, match="by their whole names: mill/wheel, mill/wheel-2"):
        registry.find_any("mill")


def test_an_own_record_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    changed = WHEEL.replace("mill/wheel", "openai/gpt-image-2").replace('"mill"', '"openai"')
    registry = own(tmp_path, changed)
    assert registry.find_any("gpt-image-2").name == "Wheel"
    assert len(registry.hosted) == len(SHIPPED.hosted)
    assert registry.providers == SHIPPED.providers


def test_an_own_provider_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    registry = own(tmp_path, MILL.replace('"mill"', '"openai"', 1))
    found = registry.find_any("gpt-image-2")
    assert isinstance(found, HostedModel)
    assert registry.provider(found).name == "The Mill"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model]", "cannot be read"),
        (WHEEL, "has a model mill/wheel, but no provider mill"),
        (MILL + WHEEL.replace('name = "Wheel"', "name = 5"), "is wrong: name"),
        (MILL + WHEEL + "colour = 1", "is wrong: colour"),
        (MILL + WHEEL.replace("mill/wheel", "wheel"), "does not begin with the provider's"),
        (MILL + "retires = 5", "is wrong: retires"),
    ],
)
def test_what_is_wrong_with_own_records_is_said_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSettings) as raised:
        own(tmp_path, text)
    assert said in raised.value.info.message
    assert str(tmp_path / "hosted.toml") in raised.value.info.message
