"""The same as server-sent events: previews of each picture while it develops, then the picture."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import anyio
from PIL import Image
from sse_starlette import ServerSentEvent

from api.access import in_thread
from api.openai.answer import encoded, made_with, size_of
from api.openai.wish import Wish
from api.problems import STATUS
from api.shapes import openai_error
from pipeline.errors import JobCancelled
from pipeline.events import LAST, Cancelled, Event, Failed, Preview, Saved, Step
from pipeline.jobs.job import Job
from pipeline.studio import Studio

Kind = Literal["image_generation", "image_edit"]
"""What the names of the events begin with."""


class Partials:
    """Chooses among the previews of each picture: the first ones after equal parts of its steps."""

    def __init__(self, wanted: int) -> None:
        """`wanted` for each picture; fewer come of one that is drawn quickly."""
        self._wanted, self._picture, self._sent, self._done = wanted, -1, 0, 0.0

    def see(self, step: Step) -> None:
        """A picture is that far."""
        if step.image_index != self._picture:
            self._picture, self._sent = step.image_index, 0
        self._done = step.step / step.total

    def take(self) -> int | None:
        """The number, from 0, under which the preview that is here now is sent; None if it is not."""
        if self._sent == self._wanted or self._done < (self._sent + 1) / (self._wanted + 1):
            return None
        self._sent += 1
        return self._sent - 1


async def events(
    studio: Studio, job: Job, kind: Kind, wish: Wish, warnings: tuple[str, ...]
) -> AsyncIterator[ServerSentEvent]:
    """What becomes of `job`, until it ends; a client that hangs up takes it along."""
    partials = Partials(wish.partial_images)
    event: Event | None = None
    try:
        async for event in job.events():
            if isinstance(event, Step):
                partials.see(event)
            elif isinstance(event, Preview) and (number := partials.take()) is not None:
                yield _partial(kind, event, number)
            elif isinstance(event, Saved):
                fields: dict[str, Any] = {"warnings": warnings} if warnings else {}
                data = await in_thread(encoded, studio, wish, event.image)
                fields |= made_with(event.image)
                yield _event(f"{kind}.completed", data, size_of(event.image), wish.output_format, **fields)
            elif isinstance(event, Failed | Cancelled):
                yield _failure(event)
    finally:
        if not isinstance(event, LAST):
            with anyio.CancelScope(shield=True):
                await in_thread(job.cancel)


def _partial(kind: Kind, preview: Preview, number: int) -> ServerSentEvent:
    """A preview as it is: small, and a JPEG."""
    with Image.open(io.BytesIO(preview.jpeg)) as image:
        size = f"{image.width}x{image.height}"
    return _event(
        f"{kind}.partial_image", base64.b64encode(preview.jpeg).decode(), size, "jpeg", partial_image_index=number
    )


def _event(name: str, data: str, size: str, output_format: str, **fields: Any) -> ServerSentEvent:
    told = {
        "type": name,
        "b64_json": data,
        "created_at": int(time.time()),
        "size": size,
        "quality": "auto",
        "background": "opaque",
        "output_format": output_format,
    }
    return ServerSentEvent(json.dumps(told | fields), event=name)


def _failure(event: Failed | Cancelled) -> ServerSentEvent:
    info = event.error if isinstance(event, Failed) else JobCancelled("The job was cancelled.").info
    error = openai_error(STATUS.get(info.code, 500), info)
    return ServerSentEvent(json.dumps({"type": "error", "error": error}), event="error")
