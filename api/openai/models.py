"""The models, as far as OpenAI's clients ask about them."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.models.files import hub
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio

router = APIRouter()


class Model(BaseModel):
    """A model that a request can name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    """OpenAI's clients want a time here, and nobody keeps one."""
    owned_by: str


class Models(BaseModel):
    """Several of them."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models")
async def every(studio: StudioDep) -> Models:
    """The models whose files are on this computer, the default first, and the hosted ones that can be asked for. Others
    can be named as well; their files are fetched."""
    return Models(data=await in_thread(_here, studio))


@router.get("/models/{model_id:path}")
async def one(model_id: str, studio: StudioDep) -> Model:
    """Any model, by its id or a unique short form of it."""
    return _told(studio.model(model_id))


def _here(studio: Studio) -> list[Model]:
    default = studio.default.record
    others = [record for record in studio.models.records if record.id != default.id]
    here = [_told(record) for record in (default, *others) if hub.is_here(record)]
    return here + [_told(model) for model in studio.hosted.usable_models]


def _told(known: ModelRecord | HostedModel) -> Model:
    if isinstance(known, HostedModel):
        return Model(id=known.id, owned_by=known.provider)
    owner, slash, _ = known.id.partition("/")
    return Model(id=known.id, owned_by=owner if slash else "darkroom")
