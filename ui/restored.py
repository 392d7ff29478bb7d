"""What was read out of a picture's file, fitted to the models and files that are here. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.gallery.restore import WORKED_FROM, Restored
from pipeline.models import schedulers
from pipeline.models.hosted import HostedModel
from pipeline.models.own import extras
from pipeline.models.registry import Model, ModelRecord
from pipeline.request import parse_request
from pipeline.studio import Studio
from ui import either, form, hosted

_TAKEN = frozenset({"prompt", "negative_prompt", "width", "height", "seed", "image", "mask", "options"})
"""Fields that a hosted model may take."""
_SENT_ON = frozenset({"num_inference_steps", "guidance_scale", "scheduler", "strength", "fit", "mask_feather"})
"""And those that one of another Darkroom takes as well."""
_HERE_ALONE = ("num_inference_steps", "guidance_scale", "scheduler", "loras", "vae", "controls", "outpaint", "upscale")
"""Fields of which it is told that it takes none."""


@dataclass(frozen=True, slots=True)
class Report:
    """What could not be restored from a file."""

    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The fields of the form that a file has settings for, and a sentence for each that was left out."""

    form: dict[str, Any]
    notes: tuple[str, ...]


def into_form(studio: Studio, restored: Restored, model: str) -> Found:
    """The settings of a file as fields of the form; those that cannot be had here are left as they come. `model` is
    used where the file's own is not known."""
    record, notes = _model(studio, restored, model)
    if isinstance(record, HostedModel):
        return _into_hosted(studio, restored, record, notes)
    fields = restored.fields | {"scheduler": restored.scheduler_for(schedulers.of(record))}
    notes += _scheduler_left(restored, record, fields["scheduler"])
    notes += [_left_out(fields, names, why) for names, why in _unfit(studio, record, fields)]
    prompt = fields.pop("prompt", "")
    request = parse_request(**fields | {"prompt": prompt or "a picture", "model": record.id})
    filled = form.filled(request, record, studio.settings.max_pixels) | {"prompt": prompt}
    return Found(filled, (*restored.notes, *notes))


def _into_hosted(studio: Studio, restored: Restored, model: HostedModel, notes: list[str]) -> Found:
    """What a hosted model takes of them."""
    taken = _TAKEN | (_SENT_ON if model.darkroom else frozenset())
    fields = {name: value for name, value in restored.fields.items() if name in taken}
    if left := [name.replace("_", " ") for name in restored.fields if name in _HERE_ALONE and name not in taken]:
        notes.append(f"{model.name} does not take these, which are left out: {', '.join(left)}.")
    if model.darkroom:
        fields["scheduler"] = restored.scheduler_for(model.schedulers)
        notes += _scheduler_left(restored, model, fields["scheduler"])
    brought = {name: fields.pop(name) for name in WORKED_FROM if name in fields}
    if all(studio.inputs.has(brought[name]) for name in ("image", "mask") if brought.get(name)):
        fields |= brought
    else:
        notes.append("A picture that it was made from is not kept here.")
    prompt = fields.pop("prompt", "")
    request = parse_request(**fields | {"prompt": prompt or "a picture", "model": model.id})
    return Found(hosted.filled(request, model) | {"prompt": prompt}, (*restored.notes, *notes))


def _model(studio: Studio, restored: Restored, model: str) -> tuple[Model, list[str]]:
    """The file's model, or `model` and a sentence about it."""
    names = [name for name in (restored.fields.get("model"), restored.model_name) if name]
    for name in names:
        if found := either.known(studio, name):
            return found, []
    record = studio.model(model)
    told = _unusable(studio, names[0]) if names else "The file does not name its model"
    return record, [f"{told}; {record.name} is used."]


def _unusable(studio: Studio, name: str) -> str:
    """Why a model that a file names is not used."""
    try:
        return f"{studio.model(name).name} cannot be asked here now"
    except DarkroomError:
        return f"The model “{name}” is not known here"


def _scheduler_left(restored: Restored, record: Model, scheduler: str | None) -> list[str]:
    """A sentence when the file names a scheduler and the model can use none such."""
    named = restored.fields.get("scheduler") or next(iter(restored.schedulers), None)
    if named is None or scheduler is not None:
        return []
    return [f"{record.name} cannot use the scheduler {schedulers.label(named)}; its own is used."]


def _unfit(studio: Studio, record: ModelRecord, fields: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The fields that this model or this studio cannot follow, each with the reason."""
    if fields.pop("options", None):
        yield ("options",), f"{record.name} has no options of its own."
    for names in (("width", "height"), ("num_inference_steps",)):
        given = {name: fields[name] for name in names if fields.get(name) is not None}
        try:
            record.check(parse_request(prompt="a picture", **given))
        except InvalidRequest as error:
            yield names, error.info.sentence
    if fields.get("negative_prompt") and not record.negative_prompt:
        yield ("negative_prompt",), f"{record.name} does not use a negative prompt."
    given = {name: value for name, value in fields.items() if name in WORKED_FROM}
    if not all(map(studio.inputs.has, parse_request(prompt="a picture", **given).input_ids)):
        yield WORKED_FROM, "A picture that it was made from is not kept here."
    yield from _missing_files(studio, record, fields)


def _missing_files(
    studio: Studio, record: ModelRecord, fields: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """LoRAs, a VAE and an upscaler that are not in the weights folder, or do not fit the model."""
    shelf = studio.models.shelf
    loras = {file.name for file in extras.fitting(record, shelf.loras())}
    used = [use.name if hasattr(use, "name") else use["name"] for use in fields.get("loras", ())]
    nets = {net.id for net in studio.models.controlnets.fitting(record)}
    if gone := [use.net for use in fields.get("controls", ()) if use.net not in nets]:
        yield ("controls",), f"There is no ControlNet {', '.join(gone)} for {record.name}."
    if gone := [name for name in used if name not in loras]:
        yield ("loras",), f"There is no LoRA {', '.join(gone)} for {record.name} in the weights folder."
    vae = fields.get("vae")
    if vae and vae not in {file.name for file in extras.fitting(record, shelf.vaes())}:
        yield ("vae",), f"There is no VAE {vae} for {record.name} in the weights folder."
    upscale = fields.get("upscale")
    if upscale and upscale.upscaler not in {one.name for one in studio.models.upscalers() if not one.refusal}:
        yield ("upscale",), f"There is no upscaler {upscale.upscaler} in the weights folder."


def _left_out(fields: dict[str, Any], names: tuple[str, ...], why: str) -> str:
    for name in names:
        fields.pop(name, None)
    return why
