"""The waiting line: which jobs wait, whose turn it is, and each one's place."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.errors import QueueFull
from pipeline.jobs.scheduler import Waiting, choose, order
from pipeline.jobs.store import JobRow


class WaitingLine:
    """The queued jobs of this process. Not locked: its owner calls it one thread at a time."""

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self._limit, self._limit_per_client = limit, limit_per_client
        self._waiting: dict[str, Waiting] = {}
        self._places: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0

    def check_room(self, client: str) -> None:
        """Raise `QueueFull` when one more job of `client` would be too many."""
        mine = sum(job.client == client for job in self._waiting.values())
        if mine >= self._limit_per_client:
            raise QueueFull(f"{mine} of your jobs are waiting already.", "Wait for some to finish, or cancel some.")
        if len(self._waiting) >= self._limit:
            raise QueueFull(f"{len(self._waiting)} jobs are waiting already.", "Try again when some have finished.")

    def join(self, row: JobRow) -> None:
        """Add a job; one that waited before comes back to its old place."""
        self._waiting[row.id] = Waiting(row.sequence, row.id, row.client, row.model, row.created_at)

    def leave(self, job_id: str) -> bool:
        """Take a job out; False when it was not waiting."""
        return self._waiting.pop(job_id, None) is not None

    def leave_all(self) -> list[str]:
        """Take every job out."""
        left, self._waiting = list(self._waiting), {}
        return left

    def next(self, loaded: str | None) -> str | None:
        """The next job for a worker that holds the model `loaded`."""
        job = choose(self._waiting.values(), self._turns, loaded, datetime.now(UTC))
        return job.job_id if job else None

    def take(self, job_id: str) -> None:
        """Take a job out to be run, and count its client's turn."""
        job = self._waiting.pop(job_id)
        self._turn += 1
        self._turns[job.client] = self._turn

    def rearrange(self, loaded: str | None) -> dict[str, int]:
        """Work out the order anew and return the places that have changed; 1 is next."""
        ordered = order(self._waiting.values(), self._turns, loaded, datetime.now(UTC))
        before, self._places = self._places, {job.job_id: place for place, job in enumerate(ordered, start=1)}
        return {job_id: place for job_id, place in self._places.items() if before.get(job_id) != place}

    def place(self, job_id: str) -> int | None:
        """The job's place when the line was last rearranged; None when it does not wait."""
        return self._places.get(job_id)

    def in_order(self) -> list[str]:
        """The waiting jobs, next first."""
        return list(self._places)
