"""Models and precisions to choose from, each with what one should know before: a download, whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.errors import DarkroomError
from pipeline.models.hosted import HostedModel
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import Model, ModelRecord
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import form as single
from ui import hosted, labels
from ui.parts import text
from ui.parts.compare import form


class Offer(NamedTuple):
    """One precision of a model."""

    label: str
    note: str
    """What it takes, or why it cannot be."""
    possible: bool


def checkpoints(studio: Studio) -> dict[str, str]:
    """Those of `models` that run here."""
    return {name: words for name, words in models(studio).items() if name not in hosted.names(studio)}


def models(studio: Studio) -> dict[str, str]:
    """Every model with its name and what stands in its way: those that can run at once before the others, and those of
    providers to whom prompts may go after all that."""
    default = studio.default.record.id
    stock = {record.id: studio.models.inventory(record.id) for record in studio.models.records}
    plans = {record.id: plan(studio, record.id) for record in studio.models.records}

    def order(record: ModelRecord) -> tuple[bool, bool, bool]:
        found = plans[record.id]
        return record.id != default, not stock[record.id].here, found is None or not found.fits

    names = {}
    for record in sorted(studio.models.records, key=order):
        away = "" if stock[record.id].here else f"↓ {text.size(stock[record.id].bytes_total or record.download_bytes)}"
        found = plans[record.id]
        tight = "does not fit here" if found is not None and not found.fits else ""
        names[record.id] = labels.label(record, away, tight)
    elsewhere = hosted.names(studio)
    return names | {model.id: elsewhere[model.id] for model in _agreed(studio)}


def offered(studio: Studio) -> list[Model]:
    """The models with these names."""
    return [*studio.models.records, *_agreed(studio)]


def _agreed(studio: Studio) -> list[HostedModel]:
    return [model for model in studio.hosted.usable_models if hosted.agreed(studio, model)]


def not_agreed(studio: Studio) -> list[str]:
    """The providers that could be asked, if somebody here had agreed to that."""
    usable = {model.provider for model in studio.hosted.usable_models}
    states = studio.hosted.providers
    return [one.provider.name for one in states if one.provider.id in usable and not one.acknowledged]


def plan(studio: Studio, model: str, **fields: object) -> Plan | None:
    """How a model would run here; None where that cannot be said."""
    try:
        return studio.plan(GenerationRequest.model_validate({"prompt": "a plan", "model": model} | fields))
    except DarkroomError:
        return None


def precisions(studio: Studio, record: ModelRecord) -> Mapping[str, Offer]:
    """What the lab can compare with this model."""
    names = [name for name in form.PRECISIONS if name != "nf4-full" or single.has_kept_layers(record)]
    return {name: _offer(studio, record, name) for name in names}


def _offer(studio: Studio, record: ModelRecord, precision: str) -> Offer:
    label = form.PRECISIONS[precision]
    if precision != "none" and not record.nf4:
        return Offer(label, f"{record.name} has no component worth quantising.", False)
    try:
        found = studio.plan(
            GenerationRequest.model_validate({"prompt": "a plan", "model": record.id, "quantization": precision})
        )
    except DarkroomError as error:
        return Offer(label, error.info.message, False)
    if not found.fits:
        return Offer(label, f"{found.sentence}.", found.possible)
    return Offer(label, f"{text.size(found.weight_bytes)} of weights" if found.weight_bytes else "", True)
