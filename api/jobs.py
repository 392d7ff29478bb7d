"""Jobs: queue one, look at it, follow it, read its log, move it in the queue, cancel it."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.access import ClientDep, StudioDep, in_thread
from pipeline.events import Step
from pipeline.jobs.job import Job
from pipeline.jobs.line import Move
from pipeline.jobs.log import LogLine
from pipeline.jobs.state import EVERY, JobState, Status
from pipeline.request import GenerationRequest

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

PING_SECONDS = 15
STEP_SECONDS = 0.1
"""Steps that follow each other faster are not all told: nobody sees them, and each is sent to every watcher."""
_RUN = secrets.token_hex(4)
"""Names this run of the server in event ids: numbers from before a restart mean nothing to it."""

TEXT = {"type": "string"}
TOTAL = "X-Total-Count"
Private = {"client"}
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An event for each line `event:`, as JSON.",
        "content": {"text/event-stream": {"schema": TEXT}},
    }
}


class JobQuery(BaseModel):
    """Which jobs are wanted; every field narrows the choice."""

    model_config = ConfigDict(extra="forbid")

    status: tuple[Status, ...] = Field((), max_length=len(EVERY), description="Only those at one of these.")
    mine: bool = Field(False, description="Only those of this client.")
    limit: int = Field(50, ge=1, le=500, description="Jobs on a page.")
    offset: int = Field(0, ge=0, le=2**31, description="Jobs to skip.")


class MoveWish(BaseModel):
    """Where to a job shall go."""

    model_config = ConfigDict(extra="forbid")

    to: Move = Field(description="In front of all of its client's waiting jobs, one place up or down, or behind all.")


@router.post("", status_code=202, response_model=JobState, response_model_exclude=Private)
async def submit(
    request: GenerationRequest, studio: StudioDep, client: ClientDep, response: Response, idempotency_key: Key = None
) -> JobState:
    """Queue a job. The same `Idempotency-Key` from the same client gives the same job again; with another request it is
    refused."""
    job = await in_thread(studio.submit, request, client=client, idempotency_key=idempotency_key)
    response.headers["Location"] = f"{router.prefix}/{job.id}"
    return await in_thread(lambda: job.state)


@router.get(
    "",
    response_model=list[JobState],
    response_model_exclude={"__all__": Private},
    responses={200: {"headers": {TOTAL: {"description": "Jobs found in all.", "schema": {"type": "integer"}}}}},
)
async def newest(
    studio: StudioDep, client: ClientDep, response: Response, wanted: Annotated[JobQuery, Query()]
) -> list[JobState]:
    """List jobs, newest first. The header `X-Total-Count` tells how many there are in all."""
    whose, statuses = client if wanted.mine else None, wanted.status or EVERY
    response.headers[TOTAL] = str(await in_thread(studio.count_jobs, client=whose, statuses=statuses))
    page = {"limit": wanted.limit, "offset": wanted.offset}
    return await in_thread(studio.jobs, client=whose, statuses=statuses, **page)


@router.get("/{job_id}", response_model=JobState, response_model_exclude=Private)
async def one(job_id: str, studio: StudioDep) -> JobState:
    """Look at one job as it is now, with its pictures."""
    return await in_thread(lambda: studio.job(job_id).state)


@router.delete("/{job_id}", response_model=JobState, response_model_exclude=Private)
async def cancel(job_id: str, studio: StudioDep) -> JobState:
    """Cancel a job: a waiting one ends at once, a running one before its next step. Saved pictures stay."""
    job = await in_thread(studio.job, job_id)
    await in_thread(job.cancel)
    return await in_thread(lambda: job.state)


@router.get("/{job_id}/log")
async def log(job_id: str, studio: StudioDep, client: ClientDep) -> list[LogLine]:
    """Read what happened to a job, the earliest first, without its prompt. Lines of the level `printed` are what
    libraries wrote, for the job's own client alone. Empty for a job of an earlier start of the studio."""
    job = await in_thread(lambda: studio.job(job_id).state)
    return [line for line in studio.log(job.id) if line.level != "printed" or job.client == client]


@router.post("/{job_id}/move", response_model=JobState, response_model_exclude=Private)
async def move(job_id: str, wish: MoveWish, studio: StudioDep) -> JobState:
    """Move a waiting job among those of its own client. One that does not wait stays as it is."""
    job = await in_thread(studio.job, job_id)
    await in_thread(job.move, wish.to)
    return await in_thread(lambda: job.state)


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=STREAM)
async def events(
    job_id: str, studio: StudioDep, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Follow a job as server-sent events: first where it stands, then all that happens, until it ends. After a cut,
    `Last-Event-ID` goes on where the stream was."""
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
