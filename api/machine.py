"""The studio itself: what it is and does, its workers, its checks, and what it keeps to start faster."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from api.description import VERSION
from api.models import DefaultModel, Freed
from pipeline.doctor import Check
from pipeline.jobs.state import EngineState, WorkerState
from pipeline.models.cache import CacheEntry

router = APIRouter(prefix="/api/v1", tags=["studio"])


class StudioFacts(BaseModel):
    """What the studio is, and what its engine does now."""

    version: str
    default: DefaultModel
    engine: EngineState
    unfinished: int
    """Jobs in hand and waiting."""


class Account(BaseModel):
    """The Hugging Face account whose token is set; the token itself is never told."""

    name: str


@router.get("/studio")
async def facts(studio: StudioDep) -> StudioFacts:
    """Look at the studio: its version, its default model, its engine and hardware, and how much is to be done."""
    default = await in_thread(DefaultModel.of, studio)
    unfinished = await in_thread(lambda: len(studio.queue()))
    return StudioFacts(version=VERSION, default=default, engine=studio.engine, unfinished=unfinished)


@router.get("/doctor")
async def doctor(studio: StudioDep) -> list[Check]:
    """Check this installation and this machine: each finding, and what to do about it."""
    return await in_thread(studio.doctor)


@router.get("/workers")
async def workers(studio: StudioDep) -> list[WorkerState]:
    """List the workers: what each does, which model it holds, and the memory that it takes."""
    return list(await in_thread(lambda: studio.worker_states))


@router.post("/workers/{place}/restart", status_code=202)
async def restart(place: int, studio: StudioDep) -> list[WorkerState]:
    """Restart a worker, which gives all its memory back. The new one loads nothing until it has a job; the job in hand
    begins again, and its finished pictures stay."""
    await in_thread(studio.restart_worker, place)
    return await workers(studio)


@router.get("/cache")
async def cached(studio: StudioDep) -> list[CacheEntry]:
    """List the quantised components that are kept on the disk for a faster start."""
    return await in_thread(studio.models.cached)


@router.delete("/cache")
async def clear(studio: StudioDep, model: str | None = None) -> Freed:
    """Delete the quantised components of a model, or all; they are made again when they are needed."""
    return Freed(freed_bytes=await in_thread(studio.models.clear_cache, model))


@router.get("/account")
async def account(studio: StudioDep) -> Account:
    """Ask the hub for the name of the Hugging Face account whose token is set."""
    return Account(name=await in_thread(studio.models.account))
