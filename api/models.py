"""The checkpoints that the studio knows: their records, their files, and the way to more of them.

Ids contain slashes, so the routes that end in a word are declared before those that end in the id.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.models.files.fetch import FetchState
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio

router = APIRouter(prefix="/api/v1", tags=["models"])


class ModelFacts(ModelRecord):
    """A model, and how much of it is on this disk."""

    here: bool
    bytes_here: int
    bytes_total: int | None


class DefaultModel(BaseModel):
    """The model that runs when a request names none, and why it is this one."""

    id: str
    reason: str
    remedy: str


class ModelList(BaseModel):
    """Every known model, and the default."""

    default: DefaultModel
    models: list[ModelFacts]


class NewModel(BaseModel):
    """A model to add: a hub repository, `owner/name`."""

    source: str


class Freed(BaseModel):
    """What a deletion gave back."""

    freed_bytes: int


@router.get("/models")
async def all_models(studio: StudioDep) -> ModelList:
    """Every model with its ranges, defaults, licence and size, and whether its files are here."""
    choice = await in_thread(lambda: studio.default)
    default = DefaultModel(id=choice.record.id, reason=choice.reason, remedy=choice.remedy)
    facts = await in_thread(lambda: [_facts(record, studio) for record in studio.models.records])
    return ModelList(default=default, models=facts)


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
async def one_model(model_id: str, studio: StudioDep) -> ModelFacts:
    """One model, by its id or a unique short form of it."""
    return await in_thread(_facts, studio.models.find(model_id), studio)


@router.get("/fetches")
async def fetches(studio: StudioDep) -> list[FetchState]:
    """The downloads of this run of the studio: waiting, under way and ended."""
    return await in_thread(studio.models.fetches)


def _facts(record: ModelRecord, studio: Studio) -> ModelFacts:
    return ModelFacts.model_validate(record.model_dump() | studio.models.inventory(record.id).model_dump())
