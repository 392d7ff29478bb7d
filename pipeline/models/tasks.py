"""What a model can do with pictures, and what it cannot, in a sentence."""

from __future__ import annotations

import math

from pipeline.errors import InvalidRequest
from pipeline.inputs import Task
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest

_NAMES: dict[Task, str] = {
    "image": "work from a picture",
    "inpaint": "repaint or extend a part of a picture",
}
"""What people call the tasks that not every model has a pipeline for."""
_FIELDS: dict[Task, str] = {"image": "image", "inpaint": "mask"}


def check(record: ModelRecord, request: GenerationRequest) -> None:
    """Raise `InvalidRequest` for a task that `record` has no pipeline for, or that it cannot do with those settings."""
    if request.task in _NAMES:
        _check_pipeline(record, request)
        _check_strength(record, request, request.used_strength, "strength")
    if request.upscale is not None and request.upscale.strength > 0:
        _check_refining(record)
        _check_strength(record, request, request.upscale.strength, "upscale")


def why_not(record: ModelRecord, task: Task) -> str:
    """Why a model cannot do a task, as a sentence; empty when it can."""
    if task in record.pipelines or task not in _NAMES:
        return ""
    return f"{record.name} cannot {_NAMES[task]}: diffusers has no pipeline for that with its weights."


def _check_pipeline(record: ModelRecord, request: GenerationRequest) -> None:
    if reason := why_not(record, request.task):
        field = "outpaint" if request.outpaint else _FIELDS[request.task]
        raise InvalidRequest(reason, "Choose another model.", field=field)


def _check_strength(record: ModelRecord, request: GenerationRequest, strength: float, field: str) -> None:
    """Most pipelines run that part of the steps, rounded down, and fail when it is none."""
    steps = request.num_inference_steps or record.steps.default
    if int(steps * strength) < 1:
        message = f"At strength {strength:g} none of {steps} steps would be run."
        least = math.ceil(100 / steps) / 100
        raise InvalidRequest(message, f"Choose {least:g} or more, or more steps.", field=field)


def _check_refining(record: ModelRecord) -> None:
    """The enlarged picture is drawn over at its own size, or window by window, each of which shows a part of it."""
    reason = why_not(record, "image")
    if not reason and not record.draws_over:
        width, height = record.size.native
        reason = f"{record.name} draws whole pictures of {width} × {height} only and cannot draw over a larger one."
    if reason:
        raise InvalidRequest(reason, "Enlarge with strength 0, or choose another model.", field="upscale")
