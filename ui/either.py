"""The form of a model, whether it runs here or a provider offers it. Knows no Streamlit."""

from __future__ import annotations

from typing import Any

from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.inputs import Task
from pipeline.models import tasks
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model
from pipeline.pictures.fit import nearest_size
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import form, hosted
from ui.fields import Fields
from ui.form import Size


def find(studio: Studio, name: str | None) -> Model:
    """The model that is called so, or the default. Raises `UnknownModel`, and for a hosted one what `check_ready`
    does."""
    model = studio.model(name)
    if isinstance(model, HostedModel):
        studio.hosted.check_ready(model)
    return model


def known(studio: Studio, name: str) -> Model | None:
    """As `find`, but None for a model that cannot be used here."""
    try:
        return find(studio, name)
    except DarkroomError:
        return None


def name_of(studio: Studio, model: str) -> str:
    """What people call the model with that id; the id where it is not known any more."""
    try:
        return studio.model(model).name if model else ""
    except DarkroomError:
        return model


def defaults(model: Model) -> dict[str, Any]:
    """What the fields that depend on the model begin with."""
    return hosted.defaults(model) if isinstance(model, HostedModel) else form.defaults(model)


def blank(model: Model) -> dict[str, Any]:
    """The whole form for a newcomer."""
    return hosted.blank(model) if isinstance(model, HostedModel) else form.blank(model)


def filled(request: GenerationRequest, model: Model, max_pixels: int) -> dict[str, Any]:
    """The form that would make `request` again."""
    return hosted.filled(request, model) if isinstance(model, HostedModel) else form.filled(request, model, max_pixels)


def to_request(fields: Fields, model: Model) -> GenerationRequest:
    """The request that the form stands for; raises `InvalidRequest` for the first field that is not right."""
    return hosted.to_request(fields, model) if isinstance(model, HostedModel) else form.to_request(fields, model)


def without_prompt(fields: Fields, model: Model) -> GenerationRequest | None:
    """The request whatever the prompt says, to plan and to warn by; None while something else in it is not right."""
    try:
        return to_request({**fields, "prompt": "a picture"}, model)
    except InvalidRequest:
        return None


def ways(model: Model) -> list[str]:
    """What the model can do with a picture."""
    return hosted.ways(model) if isinstance(model, HostedModel) else form.ways(model)


def why_not(model: Model, task: Task) -> str:
    """Why a model cannot do a task with a picture, as a sentence; empty when it can."""
    if not isinstance(model, HostedModel):
        return tasks.why_not(model, task)
    done = {"image": "work from a picture", "inpaint": "repaint a part of a picture"}
    return "" if task in model.tasks else f"{model.name} cannot {done[task]}."


def sized_for(picture: Size, model: Model, max_pixels: int) -> dict[str, Any]:
    """The size at which the model works on a picture of that size, as fields of the form."""
    if isinstance(model, HostedModel):
        return hosted.sized_for(picture, model)
    return form.sized(nearest_size(picture, model.size), model, max_pixels)
