"""Waiting for a job inside one request, as the interfaces do that know no jobs."""

from __future__ import annotations

import asyncio

from fastapi import Request

from api.access import in_thread
from pipeline.errors import JobCancelled
from pipeline.events import SavedImage
from pipeline.jobs.job import Job


async def pictures(job: Job, request: Request) -> list[SavedImage]:
    """The pictures of `job`, in order, once all are there. A client that hangs up takes its job along: nobody would
    see what becomes of it, and most clients ask again.

    Raises as `Job.result` does.
    """
    made, gone = asyncio.ensure_future(job), asyncio.ensure_future(_hangs_up(request))
    try:
        await asyncio.wait({made, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            await in_thread(job.cancel)
            raise JobCancelled("The client hung up.")
    finally:
        made.cancel()
        gone.cancel()
    return made.result()


async def _hangs_up(request: Request) -> None:
    """Return when the client is gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
