"""Who watches: the events of each job, numbered, for any number of listeners in any thread.

A listener that comes late first gets the story so far in short (only the newest step, preview and position count)
and then everything that happens. Numbers grow within a job, so a listener that was cut off can name the last one
that it saw.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipeline.events import (
    LAST,
    Asked,
    Cancelled,
    Event,
    Failed,
    Fetching,
    Finished,
    Loading,
    Preview,
    Queued,
    Saved,
    Step,
    Warned,
)
from pipeline.jobs.state import JobState

KEPT = 256
"""Ended jobs whose story stays in memory; older ones are told from the store."""

_SUPERSEDED = (Queued, Fetching, Loading, Asked, Step, Preview)
Listener = Callable[[tuple[int, Event]], object]


@dataclass(slots=True)
class _Story:
    number: int = 0
    events: list[tuple[int, Event]] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1][1], LAST)


class Feed:
    """The stories of the jobs of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stories: OrderedDict[str, _Story] = OrderedDict()

    def publish(self, job_id: str, event: Event) -> None:
        """Tell every listener, and remember what a late one needs. Listeners must not block."""
        with self._lock:
            story = self._stories.setdefault(job_id, _Story())
            story.number += 1
            if isinstance(event, _SUPERSEDED):
                story.events = [kept for kept in story.events if type(kept[1]) is not type(event)]
            story.events.append((story.number, event))
            for listener in tuple(story.listeners):
                listener((story.number, event))
            if story.ended:
                self._forget_old()

    def knows(self, job_id: str) -> bool:
        """Whether anything was published for the job in this process and is still kept."""
        with self._lock:
            return job_id in self._stories

    def listen(self, job_id: str, listener: Listener, after: int = 0) -> Callable[[], None]:
        """Call `listener` with what came after number `after`, then with all that comes. Returns the way to stop.

        A story that has ended always gives its last event, whatever `after` says.
        """
        with self._lock:
            story = self._stories.setdefault(job_id, _Story())
            missed = [event for event in story.events if event[0] > after]
            for numbered in missed or (story.events[-1:] if story.ended else []):
                listener(numbered)
            story.listeners.append(listener)
        return lambda: self._stop(story, listener)

    def _stop(self, story: _Story, listener: Listener) -> None:
        with self._lock:
            if listener in story.listeners:
                story.listeners.remove(listener)

    def _forget_old(self) -> None:
        ended = [job_id for job_id, story in self._stories.items() if story.ended]
        for job_id in ended[:-KEPT]:
            del self._stories[job_id]


def retell(state: JobState) -> Iterator[Event]:
    """The story of a job that ended in an earlier process, from what was stored."""
    for warning in state.warnings:
        yield Warned(message=warning)
    for image in state.images:
        yield Saved(image=image)
    if state.status == "failed" and state.error is not None:
        yield Failed(error=state.error)
    else:
        yield Cancelled() if state.status == "cancelled" else Finished()
