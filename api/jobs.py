"""Jobs: queue one, look at it, follow it, move it in the queue, cancel it."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.access import ClientDep, StudioDep, in_thread
from pipeline.events import Step
from pipeline.jobs.job import Job
from pipeline.jobs.line import Move
from pipeline.jobs.state import JobState
from pipeline.request import GenerationRequest

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

PING_SECONDS = 15
STEP_SECONDS = 0.1
"""Steps that follow each other faster are not all told: nobody sees them, and each is sent to every watcher."""
_RUN = secrets.token_hex(4)
"""Names this run of the server in event ids: numbers from before a restart mean nothing to it."""

Private = {"client"}
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


class MoveWish(BaseModel):
    """Where to a job shall go."""

    model_config = ConfigDict(extra="forbid")

    to: Move = Field(description="In front of all of its client's waiting jobs, one place up or down, or behind all.")


@router.post("", status_code=202, response_model=JobState, response_model_exclude=Private)
async def submit(
    request: GenerationRequest, studio: StudioDep, client: ClientDep, response: Response, idempotency_key: Key = None
) -> JobState:
    """Queue a job. The same `Idempotency-Key` from the same client gives the same job again."""
    job = await in_thread(studio.submit, request, client=client, idempotency_key=idempotency_key)
    response.headers["Location"] = f"{router.prefix}/{job.id}"
    return await in_thread(lambda: job.state)


@router.get("", response_model=list[JobState], response_model_exclude={"__all__": Private})
async def newest(studio: StudioDep, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[JobState]:
    """The jobs of every client, newest first."""
    return await in_thread(studio.jobs, limit=limit)


@router.get("/{job_id}", response_model=JobState, response_model_exclude=Private)
async def one(job_id: str, studio: StudioDep) -> JobState:
    """One job as it is now."""
    return await in_thread(lambda: studio.job(job_id).state)


@router.delete("/{job_id}", response_model=JobState, response_model_exclude=Private)
async def cancel(job_id: str, studio: StudioDep) -> JobState:
    """Cancel a job: a waiting one ends at once, a running one before its next step. Saved pictures stay."""
    job = await in_thread(studio.job, job_id)
    await in_thread(job.cancel)
    return await in_thread(lambda: job.state)


@router.post("/{job_id}/move", response_model=JobState, response_model_exclude=Private)
async def move(job_id: str, wish: MoveWish, studio: StudioDep) -> JobState:
    """Change when a waiting job runs among those of its own client. One that does not wait stays as it is."""
    job = await in_thread(studio.job, job_id)
    await in_thread(job.move, wish.to)
    return await in_thread(lambda: job.state)


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def events(
    job_id: str, studio: StudioDep, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Follow a job as server-sent events: first where it stands, then all that happens, until it ends."""
    job = await in_thread(studio.job, job_id)
    return EventSourceResponse(_stream(job, _seen(last_event_id)), ping=PING_SECONDS)


async def _stream(job: Job, after: int) -> AsyncIterator[ServerSentEvent]:
    told = 0.0
    async for number, event in job.numbered_events(after):
        if isinstance(event, Step) and event.step < event.total:
            if time.monotonic() - told < STEP_SECONDS:
                continue
            told = time.monotonic()
        yield ServerSentEvent(data=event.as_json, event=event.type, id=f"{number}-{_RUN}")


def _seen(last_event_id: str | None) -> int:
    """The number of the last event that the client saw from this run of the server, else 0."""
    number, _, run = (last_event_id or "").partition("-")
    return int(number) if run == _RUN and number.isdecimal() else 0
