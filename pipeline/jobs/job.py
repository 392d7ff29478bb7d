"""`Job`: what whoever asked for pictures gets, to follow, to change and to stop what becomes of that."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Iterator

from pipeline.errors import DarkroomError, JobCancelled
from pipeline.events import LAST, Cancelled, Event, Failed, Preview, SavedImage
from pipeline.jobs.dispatcher import Dispatcher
from pipeline.jobs.line import Move
from pipeline.jobs.state import JobState


class Job:
    """A handle on one job; cheap, and as good after a restart as before."""

    def __init__(self, dispatcher: Dispatcher, job_id: str) -> None:
        self._dispatcher, self.id = dispatcher, job_id

    @property
    def state(self) -> JobState:
        """The job as it is now."""
        return self._dispatcher.find(self.id)

    @property
    def preview(self) -> bytes | None:
        """The newest preview, a small JPEG; None while there is none."""
        told: list[Event] = []
        self._dispatcher.listen(self.id, lambda numbered: told.append(numbered[1]), 0)()
        return next((event.jpeg for event in reversed(told) if isinstance(event, Preview)), None)

    def cancel(self) -> None:
        """Stop it; pictures that are finished stay."""
        self._dispatcher.cancel(self.id)

    def move(self, to: Move) -> None:
        """Change when it runs among the waiting jobs of its own client; one that does not wait stays as it is."""
        self._dispatcher.move(self.id, to)

    def events(self) -> Iterator[Event]:
        """The story so far in short, then each event as it happens, up to the last."""
        for _, event in self._follow(None):
            yield event

    async def aevents(self, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """The same for asyncio, with the number of each event; `after` skips those that were seen."""
        loop, inbox = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Event]]()

        def deliver(numbered: tuple[int, Event]) -> None:
            loop.call_soon_threadsafe(inbox.put_nowait, numbered)

        stop = self._dispatcher.listen(self.id, deliver, after)
        try:
            while True:
                numbered = await inbox.get()
                yield numbered
                if isinstance(numbered[1], LAST):
                    return
        finally:
            stop()

    def result(self, timeout: float | None = None) -> list[SavedImage]:
        """Wait for the pictures, in order.

        Raises the job's own error when it failed, `JobCancelled`, or `TimeoutError` after `timeout` seconds.
        """
        for _, event in self._follow(timeout):
            if isinstance(event, Failed):
                raise DarkroomError.from_info(event.error)
            if isinstance(event, Cancelled):
                raise JobCancelled("The job was cancelled.")
        return list(self.state.images)

    def _follow(self, timeout: float | None) -> Iterator[tuple[int, Event]]:
        inbox: queue.SimpleQueue[tuple[int, Event]] = queue.SimpleQueue()
        deadline = None if timeout is None else time.monotonic() + timeout
        stop = self._dispatcher.listen(self.id, inbox.put, 0)
        try:
            while True:
                try:
                    numbered = inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise TimeoutError(f"Job {self.id} did not end within {timeout} seconds.") from None
                yield numbered
                if isinstance(numbered[1], LAST):
                    return
        finally:
            stop()
