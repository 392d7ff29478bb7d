"""What a model cannot do with pictures is refused at the door, with the reason and the field."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.models.registry import Registry
from pipeline.models.tasks import check, why_not
from pipeline.request import parse_request

SHIPPED = Registry.read()
PICTURE = "a" * 64 + "-512x512"
SDXL, KANDINSKY, PIXART = "stabilityai/stable-diffusion-xl-base-1.0", "kandinsky", "pixart-sigma"


def refused(model: str, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(SHIPPED.find(model), parse_request(prompt="x", **fields))
    return caught.value


@pytest.mark.parametrize(
    ("model", "fields", "words", "field"),
    [
        (PIXART, {"image": PICTURE}, "PixArt-Σ 512 cannot work from a picture: diffusers has no pipeline", "image"),
        (KANDINSKY, {"image": PICTURE, "mask": PICTURE}, "cannot repaint or extend a part of a picture", "mask"),
        (KANDINSKY, {"image": PICTURE, "outpaint": {"left": 9}}, "cannot repaint or extend", "outpaint"),
        (PIXART, {"upscale": {"strength": 0.3}}, "cannot work from a picture", "upscale"),
        (SDXL, {"image": PICTURE, "strength": 0.01}, "At strength 0.01 none of 40 steps would be run", "strength"),
        (SDXL, {"upscale": {"strength": 0.02}, "num_inference_steps": 9}, "none of 9 steps", "upscale"),
        ("sdxl-turbo", {"image": PICTURE, "num_inference_steps": 1}, "At strength 0.6 none of 1 steps", "strength"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(model: str, fields: dict[str, Any], words: str, field: str) -> None:
    error = refused(model, **fields)
    assert words in error.info.message
    assert error.info.field == field
    assert error.info.remedy


def test_a_model_of_one_size_draws_over_nothing_unless_it_was_trained_for_windows() -> None:
    record, request = SHIPPED.find("demo"), parse_request(prompt="x", upscale={"strength": 0.3})
    check(record, request)
    with pytest.raises(InvalidRequest, match="draws whole pictures of 256 × 256 only"):
        check(record.model_copy(update={"detail": ""}), request)


@pytest.mark.parametrize("steps", range(1, 41))
def test_the_least_strength_that_is_named_is_possible(steps: int) -> None:
    error = refused(SDXL, image=PICTURE, strength=0.001, num_inference_steps=steps)
    least = float(error.info.remedy.split()[1])
    check(SHIPPED.find(SDXL), parse_request(prompt="x", image=PICTURE, strength=least, num_inference_steps=steps))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"upscale": {"factor": 4}},
        {"image": PICTURE, "strength": 0, "upscale": {"factor": 2}},
    ],
)
def test_what_takes_no_pipeline_of_its_own_every_model_does(fields: dict[str, Any]) -> None:
    for record in SHIPPED.records:
        check(record, parse_request(prompt="x", **fields))


def test_what_pages_offer_and_what_is_refused_agree() -> None:
    for record in SHIPPED.records:
        assert bool(why_not(record, "image")) == ("image" not in record.pipelines)
        assert bool(why_not(record, "inpaint")) == ("inpaint" not in record.pipelines)
        assert why_not(record, "text") == why_not(record, "enlarge") == ""
