"""The waiting line: which jobs wait, whose turn it is, and each one's place.

Jobs for the workers, and those for each provider of hosted models, have lanes of their own in it: none waits for one of
another lane, and places and turns are counted in each. How many may wait is counted together.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Literal

from pipeline.errors import QueueFull
from pipeline.jobs.scheduler import Waiting, choose, order
from pipeline.jobs.store import JobRow

Move = Literal["first", "earlier", "later", "last"]
"""Where to a waiting job goes among the jobs of its own client."""


class WaitingLine:
    """The queued jobs of this process. Not locked: its owner calls it one thread at a time."""

    def __init__(self, limit: int, limit_per_client: int) -> None:
        self._limit, self._limit_per_client = limit, limit_per_client
        self._waiting: dict[str, Waiting] = {}
        self._rows: dict[str, JobRow] = {}
        self._places: dict[str, int] = {}
        self._turns: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._turn = 0

    def check_room(self, client: str) -> None:
        """Raise `QueueFull` when one more job of `client` would be too many."""
        mine = sum(job.client == client for job in self._waiting.values())
        if mine >= self._limit_per_client:
            raise QueueFull(f"{mine} of your jobs are waiting already.", "Wait for some to finish, or cancel some.")
        if len(self._waiting) >= self._limit:
            raise QueueFull(f"{len(self._waiting)} jobs are waiting already.", "Try again when some have finished.")

    def join(self, row: JobRow, lane: str = "") -> None:
        """Add a job; one that waited before comes back to its old place."""
        self._rows[row.id] = row
        self._waiting[row.id] = Waiting(row.rank, row.id, row.client, row.model, row.created_at, lane)

    def leave(self, job_id: str) -> bool:
        """Take a job out; False when it was not waiting."""
        self._rows.pop(job_id, None)
        return self._waiting.pop(job_id, None) is not None

    def move(self, job_id: str, to: Move) -> dict[str, int]:
        """Put a job before or behind others of its client; returns the ranks that changed, none when it does not wait.

        The client's jobs share out the ranks that they had, so nothing changes between clients.
        """
        if job_id not in self._waiting:
            return {}
        client = self._waiting[job_id].client
        mine = sorted((job for job in self._waiting.values() if job.client == client), key=lambda job: job.rank)
        ids = [job.job_id for job in mine]
        old = ids.index(job_id)
        new = {"first": 0, "earlier": max(0, old - 1), "later": old + 1, "last": len(ids)}[to]
        ids.insert(new, ids.pop(old))
        ranks = {moved: job.rank for moved, job in zip(ids, mine, strict=True) if moved != job.job_id}
        for moved, rank in ranks.items():
            self._waiting[moved] = replace(self._waiting[moved], rank=rank)
        return ranks

    def leave_all(self) -> list[str]:
        """Take every job out that waits for a worker."""
        left = [job.job_id for job in self._lane("")]
        for job_id in left:
            self.leave(job_id)
        return left

    @property
    def providers(self) -> set[str]:
        """The providers for which jobs wait."""
        return {job.lane for job in self._waiting.values()} - {""}

    def next(self, loaded: str | None, lane: str = "") -> str | None:
        """The next job for a worker that holds the model `loaded`, or for the provider of that lane."""
        job = choose(self._lane(lane), self._turns[lane], loaded, datetime.now(UTC))
        return job.job_id if job else None

    def take(self, job_id: str) -> None:
        """Take a job out to be run, and count its client's turn."""
        job = self._waiting.pop(job_id)
        del self._rows[job_id]
        self._turn += 1
        self._turns[job.lane][job.client] = self._turn

    def rearrange(self, loaded: str | None) -> dict[str, int]:
        """Work out the order anew and return the places that have changed; 1 is next."""
        now = datetime.now(UTC)
        lanes = [order(self._lane(lane), self._turns[lane], loaded, now) for lane in ("", *sorted(self.providers))]
        places = [(place, job.job_id) for lane in lanes for place, job in enumerate(lane, start=1)]
        before, self._places = self._places, {job_id: place for place, job_id in sorted(places, key=itemgetter(0))}
        return {job_id: place for job_id, place in self._places.items() if before.get(job_id) != place}

    def place(self, job_id: str) -> int | None:
        """The job's place when the line was last rearranged; None when it does not wait."""
        return self._places.get(job_id)

    def in_order(self, client: str | None = None) -> list[str]:
        """The waiting jobs, next first: of one client or of all."""
        return [job_id for job_id in self._places if client in {None, self._client(job_id)}]

    def others_before(self, client: str) -> int:
        """How many jobs of others come before the first one of `client`; all of them when it has none. Lanes count
        together."""
        clients = [self._client(job_id) for job_id in self._places]
        return clients.index(client) if client in clients else len(clients)

    def before(self, client: str, model: str, loaded: str | None) -> list[JobRow]:
        """The jobs that would run before one that `client` queued now for a worker, next first."""
        now = datetime.now(UTC)
        newcomer = Waiting(sys.maxsize, "", client, model, now)
        ordered = [job.job_id for job in order([*self._lane(""), newcomer], self._turns[""], loaded, now)]
        return [self._rows[job_id] for job_id in ordered[: ordered.index("")]]

    def _lane(self, lane: str) -> list[Waiting]:
        return [job for job in self._waiting.values() if job.lane == lane]

    def _client(self, job_id: str) -> str | None:
        """Whose job it is; None when it has left since the line was last rearranged."""
        return self._waiting[job_id].client if job_id in self._waiting else None
