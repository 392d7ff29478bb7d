"""The sidebar's fields as data: what they begin with, and the request that they make. Knows no Streamlit.

The form is a mapping with the names of `GenerationRequest`'s fields; the page keeps it in its session.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest, parse_request

MAX_IMAGES = 4
"""Pictures that one click may ask for."""

CUSTOM = (0, 0)
"""Stands for a size of one's own among the presets."""

Size = tuple[int, int]
_SHAPES = {"Square": (1, 1), "Landscape": (3, 2), "Portrait": (2, 3), "Wide": (16, 9), "Tall": (9, 16)}
_ADVANCED = {"quantization": "auto", "offload": "auto"}


def presets(record: ModelRecord, max_pixels: int) -> dict[Size, str]:
    """Sizes worth offering, the native one first, each with its name: those that the model can make."""
    width, height = record.size.native
    sizes = {(width, height): "Native" if width != height else "Square"}
    for name, (across, down) in _SHAPES.items():
        size = _near(width * height, across / down, record.size.multiple)
        if all(map(record.size.fits, size)) and math.prod(size) <= max_pixels:
            sizes.setdefault(size, name)
    return {size: f"{name} · {size[0]} × {size[1]}" for size, name in sizes.items()}


def has_one_size(record: ModelRecord) -> bool:
    """Whether the model makes only its native size."""
    return record.size.min == record.size.max


def defaults(record: ModelRecord) -> dict[str, Any]:
    """What the fields that depend on the model begin with."""
    width, height = record.size.native
    return {
        "num_inference_steps": record.steps.default,
        "guidance_scale": float(record.guidance.default),
        "size": (width, height),
        "width": width,
        "height": height,
        **_ADVANCED,
    }


def blank(record: ModelRecord) -> dict[str, Any]:
    """The whole form for a newcomer."""
    return {
        "model": record.id,
        "prompt": "",
        "negative_prompt": "",
        "seed": -1,
        "num_images": 1,
        **defaults(record),
    }


def filled(request: GenerationRequest, record: ModelRecord, max_pixels: int) -> dict[str, Any]:
    """The form that would make `request` again."""
    given = {name: value for name, value in request.model_dump().items() if value is not None}
    form = blank(record) | given | {"model": record.id, "num_images": min(request.num_images, MAX_IMAGES)}
    form.pop("scheduler", None)
    size = (form["width"], form["height"])
    form["size"] = size if size in presets(record, max_pixels) else CUSTOM
    return form


def to_request(form: Mapping[str, Any], record: ModelRecord) -> GenerationRequest:
    """The request that the form stands for; raises `InvalidRequest` for the first field that is not right."""
    width, height = (form["width"], form["height"]) if form["size"] == CUSTOM else form["size"]
    return parse_request(
        prompt=form["prompt"],
        negative_prompt=form["negative_prompt"] if record.negative_prompt else "",
        model=record.id,
        num_inference_steps=form["num_inference_steps"],
        guidance_scale=form["guidance_scale"],
        width=width,
        height=height,
        seed=form["seed"],
        num_images=form["num_images"],
        quantization=form["quantization"],
        offload=form["offload"],
    )


def changed(form: Mapping[str, Any]) -> int:
    """How many of the advanced settings are not as they come."""
    return sum(form[name] != usual for name, usual in _ADVANCED.items())


def _near(area: int, ratio: float, multiple: int) -> Size:
    """The size of about `area` pixels and that ratio whose sides are multiples of `multiple`."""
    return (
        round(math.sqrt(area * ratio) / multiple) * multiple,
        round(math.sqrt(area / ratio) / multiple) * multiple,
    )
