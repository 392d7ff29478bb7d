"""Pictures from words, and from another picture."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sse_starlette import EventSourceResponse

from api import waiting
from api.access import ClientDep, StudioDep, in_thread
from api.jobs import PING_SECONDS
from api.openai import form, stream
from api.openai.answer import Answer, answer
from api.openai.wish import Wish, told_as
from pipeline.jobs.job import Job
from pipeline.studio import Studio

router = APIRouter()
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class Asked(NamedTuple):
    """One request, and who it is for."""

    request: Request
    studio: Studio
    client: str


@router.post("/images/generations", responses=ANSWERS, response_class=Response)
async def generate(wish: Wish, request: Request, studio: StudioDep, client: ClientDep) -> Response:
    """Make pictures and wait for them. A client that hangs up cancels its job."""
    return await _answered("image_generation", wish, (), Asked(request, studio, client))


@router.post("/images/edits", responses=ANSWERS, response_class=Response, openapi_extra=form.FORM)
async def edit(request: Request, studio: StudioDep, client: ClientDep) -> Response:
    """Make pictures from another: where the mask is transparent, or, without a mask, all of it as far as `strength`
    says."""
    wish, notes = await form.read(request, studio)
    return await _answered("image_edit", wish, notes, Asked(request, studio, client))


async def _answered(kind: stream.Kind, wish: Wish, notes: tuple[str, ...], asked: Asked) -> Response:
    studio = asked.studio
    job, told = await in_thread(_submit, wish, asked)
    warnings = (*notes, *told)
    headers = {"X-Request-ID": job.id}
    if wish.stream:
        events = stream.events(studio, job, kind, wish, warnings)
        return EventSourceResponse(events, headers=headers, ping=PING_SECONDS)
    pictures = await waiting.pictures(job, asked.request)
    found = await in_thread(answer, studio, wish, pictures, warnings, str(asked.request.base_url))
    return Response(found.model_dump_json(exclude_none=True), 200, headers, "application/json")


def _submit(wish: Wish, asked: Asked) -> tuple[Job, tuple[str, ...]]:
    """The job, and what is to be warned of. People that one client asks for take turns like clients."""
    person = wish.safety_identifier or wish.user
    client = f"{asked.client}:{person}" if person else asked.client
    with told_as(wish.names):
        model = asked.studio.model(wish.model)
        job = asked.studio.submit(wish.request(model), client=client)
    return job, (*wish.ignored(model), *job.state.warnings)
