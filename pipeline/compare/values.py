"""The settings that can be compared: what people call them, how their values are read, and how they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.errors import InvalidRequest
from pipeline.request import parse_request

AxisField = Literal[
    "model",
    "prompt",
    "num_inference_steps",
    "guidance_scale",
    "seed",
    "scheduler",
    "quantization",
    "variation_strength",
]
NAMES: dict[AxisField, str] = {
    "model": "Model",
    "prompt": "Prompt words",
    "num_inference_steps": "Steps",
    "guidance_scale": "Guidance",
    "seed": "Seed",
    "scheduler": "Scheduler",
    "quantization": "Quantisation",
    "variation_strength": "Variation",
}
"""What people call each setting that can be compared."""

Value = str | int | float
_PRECISIONS = {"nf4": "NF4", "nf4-full": "NF4 full"}


def read_value(field: AxisField, value: Value) -> Value:
    """The value as the request's own field reads it: `"28"` steps are 28, and `NF4` is `nf4`.

    Raises `InvalidRequest` for one that the setting cannot have.
    """
    if field == "prompt":
        return str(value).strip()
    if isinstance(value, str):
        value = _by_name(field, value.strip())
    try:
        read: Value = getattr(parse_request(**{"prompt": "any", field: value}), field)
    except InvalidRequest as error:
        message = error.info.message.replace(field, NAMES[field], 1)
        raise InvalidRequest(message, error.info.remedy, field=field) from None
    return read


def label(field: AxisField, value: Value, others: Sequence[Value] = ()) -> str:
    """The heading of a value, such as `28`, `NF4` or `EulerDiscrete`, that no other of the same axis has."""
    if isinstance(value, float):
        return f"{value:g}"
    match field:
        case "quantization":
            return _PRECISIONS.get(str(value), str(value))
        case "scheduler":
            return str(value).removesuffix("Scheduler")
        case "model":
            same = {other for other in others if _last_part(other) == _last_part(value)}
            return str(value) if len(same) > 1 else _last_part(value)
        case "prompt":
            return str(value) or "without"
        case _:
            return str(value)


def _by_name(field: AxisField, name: str) -> str:
    """Names as people write them."""
    if field == "quantization":
        return name.lower().replace(" ", "-")
    if field == "scheduler" and name:
        return f"{name.removesuffix('Scheduler')}Scheduler"
    return name


def _last_part(model: Value) -> str:
    return str(model).rsplit("/", 1)[-1]
