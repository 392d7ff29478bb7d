"""The models that the studio knows: their records, the files of checkpoints, and the way to more of them.

Ids contain slashes, so the routes that end in a word are declared before those that end in the id.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import StudioDep, in_thread
from pipeline.hosted.facts import HostedFacts
from pipeline.jobs.state import WorkerState
from pipeline.models import schedulers
from pipeline.models.checker import CheckState
from pipeline.models.files.fetch import FetchState
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.studio import Studio

router = APIRouter(prefix="/api/v1", tags=["models"])


class ModelFacts(ModelRecord):
    """A checkpoint, and how much of it is on this disk."""

    kind: Literal["checkpoint"] = "checkpoint"
    here: bool
    bytes_here: int
    bytes_total: int | None


AnyFacts = Annotated[ModelFacts | HostedFacts, Field(discriminator="kind")]


class DefaultModel(BaseModel):
    """The model that runs when a request names none, and why it is this one."""

    id: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, studio: Studio) -> DefaultModel:
        choice = studio.default
        return cls(id=choice.record.id, reason=choice.reason, remedy=choice.remedy)


class ModelList(BaseModel):
    """Every known model, those of hosted providers last, and the default."""

    default: DefaultModel
    models: list[AnyFacts]


class NewModel(BaseModel):
    """A model to add: a hub repository, `owner/name`."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=200, description="A hub repository, `owner/name`.")


class SchedulerFacts(BaseModel):
    """A scheduler, by the name that requests give it."""

    name: str
    label: str
    """What people call it."""


class Freed(BaseModel):
    """What a deletion gave back."""

    freed_bytes: int


@router.get("/models")
async def all_models(studio: StudioDep) -> ModelList:
    """List every model with what it takes and makes; a checkpoint with how much of it is here, a hosted model with
    whether it can be asked for, and what to do if not. The folder of one's own checkpoints is looked at anew."""
    await in_thread(studio.models.refresh)
    return ModelList(default=DefaultModel.of(studio), models=await in_thread(_all_facts, studio))


@router.post("/models", status_code=201)
async def add(model: NewModel, studio: StudioDep, response: Response) -> ModelRecord:
    """Add a hub repository of a known family to the studio's own records; no path reaches the file system."""
    record = await in_thread(studio.models.add_from_hub, model.source)
    response.headers["Location"] = f"{router.prefix}/models/{record.id}"
    return record


@router.post("/models/{model_id:path}/fetch", status_code=202)
async def fetch(model_id: str, studio: StudioDep, response: Response) -> FetchState:
    """Begin to download a model's files, or go on where it was stopped; `/api/v1/fetches` tells how far it is."""
    record = studio.models.find(model_id)
    response.headers["Location"] = f"{router.prefix}/fetches"
    return await in_thread(studio.models.fetch, record.id)


@router.post("/models/{model_id:path}/load", status_code=202)
async def load(model_id: str, studio: StudioDep) -> list[WorkerState]:
    """Have a free worker load a model, so that the next job with it begins at once; `/api/v1/workers` tells how far it
    is. Nothing is downloaded."""
    await in_thread(studio.load, model_id)
    return list(await in_thread(lambda: studio.worker_states))


@router.delete("/models/{model_id:path}/load", status_code=202)
async def unload(model_id: str, studio: StudioDep) -> list[WorkerState]:
    """Have the workers that hold a model let go of it. To restart a worker gives back all that it takes."""
    await in_thread(studio.unload, model_id)
    return list(await in_thread(lambda: studio.worker_states))


@router.post("/models/{model_id:path}/check", status_code=202)
async def check(model_id: str, studio: StudioDep, response: Response) -> CheckState:
    """Begin to check a model: its files, or whether it may be had, and all that needs no weights; `/api/v1/checks`
    tells what was found."""
    response.headers["Location"] = f"{router.prefix}/checks"
    return await in_thread(studio.models.start_check, model_id)


@router.get("/models/{model_id:path}/schedulers")
async def scheduler_names(model_id: str, studio: StudioDep) -> list[SchedulerFacts]:
    """List the schedulers that a model can use, its own first; none where nothing is known."""
    record = studio.models.find(model_id)
    names = await in_thread(schedulers.of, record)
    return [SchedulerFacts(name=name, label=schedulers.label(name)) for name in names]


@router.delete("/models/{model_id:path}/fetch", status_code=204)
async def cancel_fetch(model_id: str, studio: StudioDep) -> None:
    """Stop a download; what is here stays, and another one goes on from there."""
    await in_thread(studio.models.cancel_fetch, studio.models.find(model_id).id)


@router.delete("/models/{model_id:path}/files")
async def remove_files(model_id: str, studio: StudioDep) -> Freed:
    """Delete a model's downloaded files; the model stays known."""
    return Freed(freed_bytes=await in_thread(studio.models.remove_files, studio.models.find(model_id).id))


@router.delete("/models/{model_id:path}", status_code=204)
async def remove(model_id: str, studio: StudioDep) -> None:
    """Forget a model that was added; its files stay."""
    await in_thread(studio.models.forget, studio.models.find(model_id).id)


@router.get("/models/{model_id:path}")
async def one_model(model_id: str, studio: StudioDep) -> AnyFacts:
    """Look at one model, by its id or a unique short form of it."""
    return await in_thread(_facts, studio.model(model_id), studio)


@router.get("/fetches")
async def fetches(studio: StudioDep) -> list[FetchState]:
    """List the downloads of this run of the studio: waiting, under way and ended."""
    return await in_thread(studio.models.fetches)


@router.get("/checks")
async def checks(studio: StudioDep) -> list[CheckState]:
    """List the checks of this run of the studio, the last one of each model: under way, or what it found."""
    return await in_thread(studio.models.checks)


def _all_facts(studio: Studio) -> list[AnyFacts]:
    here = (_facts(record, studio) for record in studio.models.records)
    return [*here, *(HostedFacts.of(model, state) for model, state in studio.hosted.offers)]


def _facts(model: Model, studio: Studio) -> AnyFacts:
    if isinstance(model, HostedModel):
        return HostedFacts.of(model, studio.hosted.state(studio.hosted.provider(model)))
    return ModelFacts.model_validate(model.model_dump() | studio.models.inventory(model.id).model_dump())
