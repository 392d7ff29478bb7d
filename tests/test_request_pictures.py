"""What a request may bring along besides words, and what cannot be meant together."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.inputs import size_of
from pipeline.recipe import HostedUse, Recipe
from pipeline.request import GenerationRequest, parse_request
from tests.gallery.pictures import make_recipe

PICTURE = "a" * 64 + "-640x480"
MASK = "b" * 64 + "-640x480"
RIGHT = {"right": 64}
MAP = "c" * 64 + "-320x240"
EDGES = {"net": "demo-canny", "image": MAP}


def test_an_id_tells_the_size_of_its_picture() -> None:
    assert size_of(PICTURE) == (640, 480)


@pytest.mark.parametrize(
    ("fields", "task", "strength"),
    [
        ({}, "text", 1.0),
        ({"upscale": {"factor": 2}}, "text", 1.0),
        ({"image": PICTURE}, "image", 0.6),
        ({"image": PICTURE, "strength": 0.2}, "image", 0.2),
        ({"image": PICTURE, "mask": MASK}, "inpaint", 1.0),
        ({"image": PICTURE, "outpaint": RIGHT}, "inpaint", 1.0),
        ({"image": PICTURE, "strength": 0, "upscale": {"factor": 4}}, "enlarge", 0.0),
    ],
)
def test_what_a_request_is_about_follows_from_what_it_brings(fields: Any, task: str, strength: float) -> None:
    request = parse_request(prompt="a house", **fields)
    assert (request.task, request.used_strength) == (task, strength)


def test_a_mere_enlargement_needs_no_words_and_all_else_does() -> None:
    assert parse_request(prompt="", image=PICTURE, strength=0, upscale={"factor": 2}).prompt == ""
    with pytest.raises(InvalidRequest, match="The prompt is empty"):
        parse_request(prompt=" ", image=PICTURE, strength=0.5)


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"mask": MASK}, "mask", "It needs an image to work from. Give one, or leave this out."),
        ({"strength": 0.5}, "strength", "It needs an image to work from."),
        ({"outpaint": RIGHT}, "outpaint", "It needs an image to work from."),
        ({"image": PICTURE, "strength": 0}, "strength", "At strength 0 the picture stays as it is."),
        (
            {"image": PICTURE, "strength": 0, "mask": MASK, "upscale": {"factor": 2}},
            "strength",
            "At strength 0 nothing is drawn.",
        ),
        ({"image": PICTURE, "mask": MASK, "outpaint": RIGHT}, "outpaint", "A mask and margins at once"),
        (
            {"image": PICTURE, "mask": "b" * 64 + "-64x48"},
            "mask",
            "Mask and image must have one size, but have 64 × 48 and 640 × 480 pixels. Paint the mask on this image.",
        ),
        ({"image": PICTURE, "outpaint": {}}, "outpaint", "Give at least one side some pixels"),
        (
            {"image": PICTURE, "strength": 0, "upscale": {"factor": 2}, "controls": [EDGES]},
            "strength",
            "leave out mask",
        ),
        ({"controls": [EDGES | {"start": 0.6, "end": 0.4}]}, "controls", "A map cannot end before it begins."),
        ({"controls": [EDGES] * 5}, "controls", "at most 4"),
        ({"image": "../../etc/passwd"}, "image", "image cannot be"),
        ({"image": PICTURE, "strength": 1.5}, "strength", "strength cannot be"),
        ({"upscale": {"factor": 5}}, "upscale", "upscale cannot be"),
        ({"upscale": {"factor": 2, "upscaler": ""}}, "upscale", "upscale cannot be"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field_and_a_next_step(fields: Any, field: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(prompt="a house", **fields)
    assert caught.value.info.field == field
    assert sentence in caught.value.info.sentence


def test_every_picture_is_named_once() -> None:
    request = parse_request(prompt="a house", image=PICTURE, mask=MASK, controls=[EDGES, EDGES])
    assert request.input_ids == (PICTURE, MASK, MAP)


def test_a_recipe_makes_the_same_request_again_at_the_size_that_was_asked_of_the_model() -> None:
    request = parse_request(
        prompt="a house",
        image=PICTURE,
        mask=MASK,
        mask_feather=3,
        mask_area="masked",
        strength=0.7,
        fit="pad",
        upscale={"factor": 2},
        controls=[EDGES | {"scale": 0.7, "start": 0.1, "end": 0.9}],
        width=512,
        height=256,
        seed=5,
    )
    brought = request.model_dump(include={"image", "mask", "mask_feather", "mask_area", "strength", "fit", "upscale"})
    used = [use.model_dump() | {"sha256": "d" * 64} for use in request.controls]
    recipe = make_recipe(width=1280, height=960, work_size=(512, 256), controls=used, **brought)
    again = Recipe.from_json(recipe.model_dump_json()).to_request()
    assert {name: getattr(again, name) for name in brought} == {name: getattr(request, name) for name in brought}
    assert (again.width, again.height, again.controls) == (512, 256, request.controls)


@pytest.mark.parametrize(("seeded", "seed"), [(True, 42), (False, -1)])
def test_what_a_provider_made_is_asked_for_again_with_all_that_its_model_has(seeded: bool, seed: int) -> None:
    used = HostedUse(provider="The Mill", host="mill.invalid", model="wheel-1", seeded=seeded)
    unknown = {"num_inference_steps": 0, "guidance_scale": 0.0, "scheduler": ""}
    brought = {"image": PICTURE, "mask": MASK, "options": {"quality": "high"}}
    recipe = make_recipe(model="mill/wheel", hosted=used, work_size=(64, 64), **unknown, **brought)
    again = Recipe.from_json(recipe.model_dump_json()).to_request()
    told = again.model_dump(exclude_defaults=True)
    plain = {"prompt": recipe.prompt, "negative_prompt": "fog", "model": "mill/wheel", "width": 64, "height": 64}
    assert told == plain | brought | ({"seed": seed} if seeded else {})


def test_a_recipe_holds_how_the_picture_before_it_was_made() -> None:
    first = make_recipe(prompt="the first")
    last = make_recipe(prompt="the last", origin=make_recipe(prompt="the second", origin=first))
    read = Recipe.from_json(last.model_dump_json())
    assert read.origin is not None
    assert read.origin.origin == first


def test_requests_of_before_read_as_they_did() -> None:
    old = {"prompt": "a house", "seed": 3, "width": 64, "height": 64}
    assert GenerationRequest.model_validate(old).task == "text"
