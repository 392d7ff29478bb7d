"""How large a picture the model works on, told before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.extent import most_pixels
from pipeline.models.planning.ladder import Case
from pipeline.models.planning.plan import plan
from pipeline.models.planning.sizes import known_sizes
from pipeline.models.registry import Registry
from pipeline.request import parse_request
from tests.models.machines import machine

SHIPPED = Registry.read()
SD15, SDXL = "stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-xl-base-1.0"


def named(width: int, height: int) -> str:
    return f"{'a' * 64}-{width}x{height}"


@pytest.mark.parametrize(
    ("fields", "pixels"),
    [
        ({}, 512 * 512),
        ({"width": 768}, 768 * 512),
        ({"image": named(640, 448)}, 640 * 448),
        ({"image": named(6000, 6000)}, 512 * 512),
        ({"image": named(6000, 6000), "width": 768, "height": 768}, 768 * 768),
        ({"image": named(600, 600), "mask": named(600, 600)}, 600 * 600),
        ({"image": named(6000, 6000), "mask": named(6000, 6000), "mask_area": "masked"}, 512 * 512),
        ({"image": named(512, 512), "outpaint": {"left": 128}}, 640 * 512),
        ({"image": named(512, 512), "outpaint": {"left": 1024}}, 512 * 512),
        ({"upscale": {"factor": 4}}, 512 * 512),
        ({"upscale": {"factor": 2, "strength": 0.3}}, 1024 * 1024),
        ({"upscale": {"factor": 4, "strength": 0.3}}, 512 * 512),
        ({"image": named(512, 512), "strength": 0, "upscale": {"factor": 4}}, 0),
    ],
)
def test_the_largest_picture_is_what_the_settings_make_it(fields: dict[str, Any], pixels: int) -> None:
    assert most_pixels(parse_request(prompt="x", **fields), SHIPPED.find(SD15)) == pixels


def test_drawing_over_an_enlarged_picture_is_planned_at_its_size() -> None:
    def activations(**fields: Any) -> int:
        request = parse_request(prompt="x", width=768, height=768, **fields)
        record = SHIPPED.find(SDXL)
        return plan(Case(record, request, machine(80), known_sizes(record))).activation_bytes

    plain = activations()
    assert activations(upscale={"factor": 2}) == plain
    assert activations(upscale={"factor": 2, "strength": 0.3}) > 3 * plain
