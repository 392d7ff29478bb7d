"""Who is next: fair between clients, thrifty with model changes. Pure functions over plain values.

Clients take turns, so one client's hundred jobs do not starve another's one; a client's own jobs keep their order,
which is the client's to change.
Changing models is the slowest thing that a worker does, so a client whose next job is for the loaded model may
overtake, unless the one to be overtaken has waited `PATIENCE` already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

PATIENCE = timedelta(seconds=60)
"""Once a job has waited this long nothing overtakes it for its model's sake."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the scheduler needs to know of a queued job."""

    rank: int
    job_id: str
    client: str
    model: str
    since: datetime
    lane: str = ""
    """Who makes it: empty for the workers, else a provider, for which it waits apart from the others."""


def choose(waiting: Iterable[Waiting], turns: Mapping[str, int], loaded: str | None, now: datetime) -> Waiting | None:
    """The job to run next, or None.

    `turns` maps a client to the number of its last turn; clients without one come first. `loaded` is the id of the
    model that the free worker holds.
    """
    return _next([line[0] for line in _lines(waiting).values()], turns, loaded, now)


def order(waiting: Iterable[Waiting], turns: Mapping[str, int], loaded: str | None, now: datetime) -> list[Waiting]:
    """All waiting jobs in the order in which one worker would take them now."""
    lines, taken_turns, ordered = _lines(waiting), dict(turns), list[Waiting]()
    turn = max(turns.values(), default=0)
    while (job := _next([line[0] for line in lines.values()], taken_turns, loaded, now)) is not None:
        turn += 1
        taken_turns[job.client] = turn
        loaded = job.model
        ordered.append(lines[job.client].popleft())
        if not lines[job.client]:
            del lines[job.client]
    return ordered


def _lines(waiting: Iterable[Waiting]) -> dict[str, deque[Waiting]]:
    """Each client's jobs in their order."""
    lines: dict[str, deque[Waiting]] = {}
    for job in sorted(waiting, key=lambda job: job.rank):
        lines.setdefault(job.client, deque()).append(job)
    return lines


def _next(heads: list[Waiting], turns: Mapping[str, int], loaded: str | None, now: datetime) -> Waiting | None:
    def turn(job: Waiting) -> tuple[int, int]:
        return turns.get(job.client, -1), job.rank

    if not heads:
        return None
    first = min(heads, key=turn)
    if first.model == loaded or now - first.since >= PATIENCE:
        return first
    return min((job for job in heads if job.model == loaded), key=turn, default=first)
