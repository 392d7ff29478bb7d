"""Pictures of words and of pictures: a job of the ordinary queue, whose end the request waits for."""

from __future__ import annotations

from fastapi import Request

from api import waiting
from api.a1111.access import CallerDep, ChosenDep, routes
from api.a1111.answers import Made, made
from api.a1111.fields import ImageToImage, Picture, TextToImage
from api.a1111.requests import Asked, from_image, from_text
from api.access import StudioDep, in_thread
from pipeline.errors import JobCancelled
from pipeline.events import SavedImage
from pipeline.jobs.job import Job
from pipeline.studio import Studio

router = routes()


@router.post("/txt2img")
async def txt2img(body: TextToImage, request: Request, studio: StudioDep, chosen: ChosenDep, caller: CallerDep) -> Made:
    """Draw pictures of words. What was done otherwise than asked is in `warnings` of `info`."""
    return await _drawn(await in_thread(from_text, body, studio, chosen), body, request, studio, caller)


@router.post("/img2img")
async def img2img(
    body: ImageToImage, request: Request, studio: StudioDep, chosen: ChosenDep, caller: CallerDep
) -> Made:
    """Draw a picture over, or, with a mask, the part of it that is white there."""
    return await _drawn(await in_thread(from_image, body, studio, chosen), body, request, studio, caller)


async def _drawn(asked: Asked, body: Picture, request: Request, studio: Studio, caller: str) -> Made:
    job = await in_thread(studio.submit, asked.request, client=caller)
    images = await _pictures(job, request)
    return await in_thread(lambda: made(studio, body, job.state, images, asked.notes))


async def _pictures(job: Job, request: Request) -> list[SavedImage]:
    """The pictures of `job`; those that are finished when somebody interrupts it, as A1111 does. Raises as
    `waiting.pictures` does, and `JobCancelled` where none is."""
    try:
        return await waiting.pictures(job, request)
    except JobCancelled:
        finished = await in_thread(lambda: job.state.images)
        if not finished:
            raise
        return list(finished)
