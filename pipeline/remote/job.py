"""`RemoteJob`: what `Job` is, for a job of the running studio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2

from pipeline.errors import DarkroomError, JobCancelled, StudioUnreachable
from pipeline.events import EVENT, LAST, Cancelled, Event, Failed, SavedImage
from pipeline.jobs.state import JobState
from pipeline.remote.connection import Connection


class RemoteJob:
    """A handle on one job of the running studio."""

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection, self.id = connection, job_id

    @property
    def state(self) -> JobState:
        """The job as it is now. Raises `NotFound` and `StudioUnreachable`."""
        return state_of(self._connection.json("GET", self._path))

    def cancel(self) -> None:
        """Stop it; pictures that are finished stay."""
        self._connection.ask("DELETE", self._path)

    def events(self) -> Iterator[Event]:
        """The story so far in short, then each event as it happens, up to the last.

        Raises `StudioUnreachable` when the connection is lost; the job goes on without it.
        """
        try:
            with self._connection.follow(f"{self._path}/events") as events:
                for data in events:
                    event = EVENT.validate_json(data)
                    yield event
                    if isinstance(event, LAST):
                        return
        except httpx2.HTTPError as error:
            raise self._lost(str(error)) from None
        raise self._lost("it ended the stream")

    def result(self) -> list[SavedImage]:
        """Wait for the pictures, in order. Raises the job's own error when it failed, and `JobCancelled`."""
        for event in self.events():
            if isinstance(event, Failed):
                raise DarkroomError.from_info(event.error)
            if isinstance(event, Cancelled):
                raise JobCancelled("The job was cancelled.")
        return list(self.state.images)

    @property
    def _path(self) -> str:
        return f"/api/v1/jobs/{self.id}"

    def _lost(self, why: str) -> StudioUnreachable:
        return StudioUnreachable(
            f"The connection to the studio at {self._connection.url} is lost ({why}); job {self.id} goes on there, if "
            "need be when the studio starts again.",
            f"`python -m pipeline jobs follow {self.id}` shows it.",
        )


def state_of(data: dict[str, Any]) -> JobState:
    """A job as the API tells it, which keeps to itself whose it is."""
    return JobState.model_validate({"client": "", **data})
