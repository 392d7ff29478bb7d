"""The stages of a chain as fields of the form, each with a key of its own: `stage_key`. Knows no Streamlit.

The page has controls for some of what a stage can say; what else one says that came with a request stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.inputs import USUAL_STRENGTH
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest, Stage
from ui.fields import Fields

SHOWN = ("model", "strength", "prompt", "num_inference_steps", "guidance_scale")
"""What has a control."""
_REST = "rest"
_NAMES = {"negative_prompt": "without", "upscale": "enlarged", "loras": "LoRAs", "vae": "VAE"}
_PLAIN = Stage()


def stage_key(number: int, field: str) -> str:
    """Under which the form has a field of stage `number`, counted from 1 after the first picture."""
    return f"stage_{number}_{field}"


def offered(records: Sequence[ModelRecord]) -> list[ModelRecord]:
    """The models that a picture can be handed on to."""
    return [record for record in records if "image" in record.pipelines]


def blank(number: int, model: str) -> dict[str, Any]:
    """A new stage."""
    return _fields(number, _PLAIN.model_copy(update={"model": model}))


def of_request(request: GenerationRequest, model: str) -> dict[str, Any]:
    """The stages of a request whose first model is `model`."""
    names, found = request.models(model)[1:], {"stages": len(request.then)}
    for number, (stage, name) in enumerate(zip(request.then, names, strict=True), 1):
        found |= _fields(number, stage.model_copy(update={"model": name}))
    return found


def without(form: Fields, number: int) -> dict[str, Any]:
    """The fields that change when a stage is taken out: those after it move up."""
    moved = range(number, form["stages"])
    names = (*SHOWN, _REST)
    return {stage_key(one, name): form[stage_key(one + 1, name)] for one in moved for name in names} | {
        "stages": form["stages"] - 1
    }


def to_then(form: Fields) -> list[dict[str, Any]]:
    """What a request says of the stages."""
    return [_stage(form, number) for number in range(1, form["stages"] + 1)]


def unseen(form: Fields, number: int) -> str:
    """What a stage says that has no control, in words; empty when there is nothing."""
    rest: Mapping[str, Any] = form[stage_key(number, _REST)]
    return ", ".join(f"{_NAMES.get(name, name)} {_told(value)}" for name, value in rest.items())


def _fields(number: int, stage: Stage) -> dict[str, Any]:
    said = stage.model_dump()
    rest = {name: said[name] for name in said if name not in SHOWN and said[name] != getattr(_PLAIN, name)}
    shown = {name: said[name] for name in SHOWN} | {"prompt": stage.prompt or ""}
    if stage.strength is None:
        shown["strength"] = USUAL_STRENGTH["image"]
    return {stage_key(number, name): value for name, value in (shown | {_REST: rest}).items()}


def _stage(form: Fields, number: int) -> dict[str, Any]:
    said = {name: form[stage_key(number, name)] for name in SHOWN}
    rest: dict[str, Any] = form[stage_key(number, _REST)]
    return said | {"prompt": said["prompt"].strip() or None} | rest


def _told(value: Any) -> str:
    match value:
        case {"factor": factor}:
            return f"× {factor}"
        case [*uses]:
            return ", ".join(use["name"] for use in uses)
    return str(value)
