"""The checkpoints that the studio knows."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.models.registry import ModelRecord

router = APIRouter(prefix="/api/v1/models", tags=["models"])


class DefaultModel(BaseModel):
    """The model that runs when a request names none, and why it is this one."""

    id: str
    reason: str
    remedy: str


class ModelList(BaseModel):
    """Every known model, and the default."""

    default: DefaultModel
    models: list[ModelRecord]


@router.get("")
async def all_models(studio: StudioDep) -> ModelList:
    """Every model with its ranges, defaults, licence and size."""
    choice = await in_thread(lambda: studio.default)
    default = DefaultModel(id=choice.record.id, reason=choice.reason, remedy=choice.remedy)
    return ModelList(default=default, models=list(studio.models.records))


@router.get("/{model_id:path}")
async def one_model(model_id: str, studio: StudioDep) -> ModelRecord:
    """One model, by its id or a unique short form of it."""
    return studio.models.find(model_id)
