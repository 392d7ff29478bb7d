"""Following a job: its events one by one, in a thread that may wait or in an event loop that may not."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable, Iterator

from pipeline.events import LAST, Event
from pipeline.jobs.feed import Listener

Numbered = tuple[int, Event]
Listen = Callable[[Listener, int], Callable[[], None]]
"""Has a listener told what came after an event's number, and all that comes; returns the way to stop."""


class Events:
    """The story of a job so far in short, then each event as it happens, up to the last.

    For both `for` and `async for`; each time from the beginning, and any number of times at once. To stop listening
    changes nothing about the job.
    """

    def __init__(self, listen: Listen) -> None:
        self._listen = listen

    def __iter__(self) -> Iterator[Event]:
        return (event for _, event in follow(self._listen))

    def __aiter__(self) -> AsyncIterator[Event]:
        return (event async for _, event in follow_in_loop(self._listen))


def follow(listen: Listen, timeout: float | None = None) -> Iterator[Numbered]:
    """Each event with its number. Raises `TimeoutError` when the last has not come `timeout` seconds after the first
    was asked for."""
    inbox: queue.SimpleQueue[Numbered] = queue.SimpleQueue()
    deadline = None if timeout is None else time.monotonic() + timeout
    stop = listen(inbox.put, 0)
    try:
        while True:
            try:
                numbered = inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"The job did not end within {timeout} seconds.") from None
            yield numbered
            if isinstance(numbered[1], LAST):
                return
    finally:
        stop()


async def follow_in_loop(listen: Listen, after: int = 0) -> AsyncIterator[Numbered]:
    """The same for asyncio; `after` skips the events up to that number."""
    loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Numbered]()

    def deliver(numbered: Numbered) -> None:
        loop.call_soon_threadsafe(inbox.put_nowait, numbered)

    stop = listen(deliver, after)
    try:
        while True:
            numbered = await inbox.get()
            yield numbered
            if isinstance(numbered[1], LAST):
                return
    finally:
        stop()
