"""How a command waits for a job: shows it to its end, and takes Ctrl-C for the wish to stop it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import typer

from pipeline.commands.display import JobDisplay
from pipeline.errors import DarkroomError, JobCancelled
from pipeline.events import LAST, Cancelled, Event, Failed

if TYPE_CHECKING:
    from pipeline.jobs.state import JobState


class Followed(Protocol):
    """A job, in this process or in that of the running studio."""

    @property
    def state(self) -> JobState: ...
    def events(self) -> Iterable[Event]: ...
    def cancel(self) -> None: ...


def follow(job: Followed, display: JobDisplay) -> None:
    """Show the job to its end; Ctrl-C cancels it and keeps the pictures that are finished. Raises the job's own error
    when it failed, and `JobCancelled` when somebody else cancelled it."""
    display.count = job.state.request.num_pictures
    try:
        last = _show_all(job, display)
    except KeyboardInterrupt:
        resumable = " What is downloaded stays; the next call goes on from there." if display.fetching else ""
        display.note(f"Stopping …{resumable}")
        job.cancel()
        _show_all(job, display)
        raise typer.Exit(130) from None
    if isinstance(last, Failed):
        raise DarkroomError.from_info(last.error)
    if isinstance(last, Cancelled):
        raise JobCancelled("The job was cancelled.", "What it had made stays.")


def _show_all(job: Followed, display: JobDisplay) -> Event:
    for event in job.events():
        display.show(event)
        if isinstance(event, LAST):
            return event
    raise RuntimeError("A job's events end with its last one.")
