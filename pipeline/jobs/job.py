"""`Job`: what whoever asked for pictures gets, to follow, to change and to stop what becomes of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import Any

from pipeline.errors import DarkroomError, JobCancelled
from pipeline.events import Cancelled, Event, Failed, Preview, SavedImage
from pipeline.jobs.dispatcher import Dispatcher
from pipeline.jobs.following import Events, Numbered, follow, follow_in_loop
from pipeline.jobs.line import Move
from pipeline.jobs.state import JobState


class Job:
    """A handle on one job; cheap, and as good after a restart as before.

    In a thread, `for event in job.events()` and `job.result()` wait; in an event loop, `async for event in
    job.events()` and `await job` do. Who stops waiting leaves the job as it is: `cancel` ends it.
    """

    def __init__(self, dispatcher: Dispatcher, job_id: str) -> None:
        self._dispatcher, self.id = dispatcher, job_id
        self._listen = partial(dispatcher.listen, job_id)

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    @property
    def state(self) -> JobState:
        """The job as it is now."""
        return self._dispatcher.find(self.id)

    @property
    def preview(self) -> bytes | None:
        """The newest preview, a small JPEG; None while there is none."""
        told: list[Event] = []
        self._listen(lambda numbered: told.append(numbered[1]), 0)()
        return next((event.jpeg for event in reversed(told) if isinstance(event, Preview)), None)

    def cancel(self) -> None:
        """Stop it; pictures that are finished stay."""
        self._dispatcher.cancel(self.id)

    def move(self, to: Move) -> None:
        """Change when it runs among the waiting jobs of its own client; one that does not wait stays as it is."""
        self._dispatcher.move(self.id, to)

    def events(self) -> Events:
        """The story so far in short, then each event as it happens, up to the last: for `for` and `async for`."""
        return Events(self._listen)

    def numbered_events(self, after: int = 0) -> AsyncIterator[Numbered]:
        """The same for streams that can be cut off: each event with its number; `after` skips those that were seen."""
        return follow_in_loop(self._listen, after)

    def result(self, timeout: float | None = None) -> list[SavedImage]:
        """Wait for the pictures, in order. `await job` does the same in an event loop.

        Raises the job's own error when it failed, `JobCancelled`, or `TimeoutError` after `timeout` seconds.
        """
        for _, event in follow(self._listen, timeout):
            _raise_if_vain(event)
        return list(self.state.images)

    def __await__(self) -> Generator[Any, None, list[SavedImage]]:
        return self._result_in_loop().__await__()

    async def _result_in_loop(self) -> list[SavedImage]:
        async for event in self.events():
            _raise_if_vain(event)
        return list((await asyncio.to_thread(lambda: self.state)).images)


def _raise_if_vain(event: Event) -> None:
    """Raise what ended a job before its pictures were made."""
    if isinstance(event, Failed):
        raise DarkroomError.from_info(event.error)
    if isinstance(event, Cancelled):
        raise JobCancelled("The job was cancelled.")
