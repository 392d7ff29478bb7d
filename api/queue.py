"""The queue: what is in hand and what waits, in the order in which it will run."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import ClientDep, StudioDep, in_thread
from pipeline.jobs.state import JobState

router = APIRouter(prefix="/api/v1/queue", tags=["jobs"])

Private: Any = {"jobs": {"__all__": {"client"}}}


class Queue(BaseModel):
    """The unfinished jobs at one moment."""

    jobs: list[JobState]
    """Those in hand, then the waiting ones, next first."""
    others_before: int
    """Jobs of others that are in hand, or come before the first waiting one of this client."""


@router.get("", response_model_exclude=Private)
async def queue(studio: StudioDep, client: ClientDep, mine: bool = False) -> Queue:
    """List the unfinished jobs: those in hand, then the waiting ones in the order in which they will run; with `mine`
    those of this client alone."""
    jobs = await in_thread(studio.queue, client=client if mine else None)
    return Queue(jobs=jobs, others_before=await in_thread(studio.others_before, client))
