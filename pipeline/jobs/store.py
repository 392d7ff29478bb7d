"""The jobs that last: one SQLite table, written before anybody is told.

A job that was running when the studio went down is found here as `loading` or `running` and queued again.

A full disk refuses a new job (`OutputUnwritable`), but it must not stop one that runs: changes that could not be
written are kept in memory, hold for every reader, and are written with the next change that goes through.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.errors import ErrorInfo, NotFound, OutputUnwritable
from pipeline.jobs.state import EVERY, Status
from pipeline.request import GenerationRequest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    client          TEXT NOT NULL,
    idempotency_key TEXT,
    status          TEXT NOT NULL,
    request         TEXT NOT NULL,
    model           TEXT NOT NULL,
    seed            INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    restarted       INTEGER NOT NULL DEFAULT 0,
    warnings        TEXT NOT NULL DEFAULT '[]',
    error           TEXT,
    created_at      TEXT NOT NULL,
    started_at      TEXT,
    finished_at     TEXT,
    rank            INTEGER,
    UNIQUE (client, idempotency_key)
);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, sequence);
"""
_LATER_COLUMNS = {"rank": "INTEGER"}
"""Columns that tables from before do not have."""
_log = logging.getLogger(__name__)
_WARNINGS = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored."""

    sequence: int
    rank: int
    """Its place among its client's jobs: its `sequence`, until it is moved."""
    id: str
    client: str
    status: Status
    request: GenerationRequest
    model: str
    seed: int
    attempts: int
    restarted: bool
    warnings: tuple[str, ...]
    error: ErrorInfo | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobStore:
    """The `jobs` table. Safe to call from several threads."""

    def __init__(self, database: Path | None) -> None:
        """Open `database`, or a private one in memory when it is None."""
        self._lock = threading.Lock()
        self._unwritten: dict[str, dict[str, str | int | None]] = {}
        self._connection = sqlite3.connect(
            database or ":memory:", check_same_thread=False, isolation_level=None, timeout=10
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Safe in any crash of the process; only a power cut can lose the last moments. Saves a flush for each change.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._add_later_columns()

    def add(
        self,
        job_id: str,
        client: str,
        request: GenerationRequest,
        model: str,
        seed: int,
        key: str | None,
        warnings: tuple[str, ...] = (),
    ) -> JobRow:
        """Store a new queued job. Raises `OutputUnwritable` when the disk does not take it."""
        told = _WARNINGS.dump_json(warnings).decode()
        values = (job_id, client, key, request.model_dump_json(), model, seed, told, _now())
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT INTO jobs (id, client, idempotency_key, status, request, model, seed, warnings, created_at)"
                    " VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                    values,
                )
        except sqlite3.OperationalError as error:
            raise OutputUnwritable(
                f"The job could not be stored: {error}.", "Free some space at DARKROOM_OUTPUTS, or set it elsewhere."
            ) from error
        return self.get(job_id)

    def get(self, job_id: str) -> JobRow:
        """The job with that id; raises `NotFound`."""
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", (job_id,))
        if not rows:
            raise NotFound(f"There is no job {job_id[:40]}.", "It may belong to another outputs folder.")
        return rows[0]

    def with_key(self, client: str, key: str) -> JobRow | None:
        """The job that `client` submitted under that idempotency key."""
        rows = self._rows("SELECT * FROM jobs WHERE client = ? AND idempotency_key = ?", (client, key))
        return rows[0] if rows else None

    def newest(
        self, client: str | None, limit: int, offset: int = 0, statuses: Collection[Status] = EVERY
    ) -> list[JobRow]:
        """The newest jobs that stand at one of `statuses`, of one client or of all."""
        sql, values = _chosen(client, statuses)
        return self._rows(f"SELECT * {sql} ORDER BY sequence DESC LIMIT ? OFFSET ?", (*values, limit, offset))

    def count(self, client: str | None, statuses: Collection[Status] = EVERY) -> int:
        """How many jobs stand at one of `statuses`, of one client or of all."""
        sql, values = _chosen(client, statuses)
        with self._lock:
            return int(self._connection.execute(f"SELECT count(*) {sql}", values).fetchone()[0])

    def queued(self) -> list[JobRow]:
        """The waiting jobs by their rank: oldest first, until some are moved."""
        rows = self._rows("SELECT * FROM jobs WHERE status = 'queued'")
        return sorted(rows, key=lambda row: (row.rank, row.sequence))

    def input_ids(self) -> set[str]:
        """The pictures that unfinished jobs bring along."""
        unfinished = self._rows("SELECT * FROM jobs WHERE status IN ('queued', 'loading', 'running')")
        return {name for row in unfinished for name in row.request.input_ids}

    def rerank(self, ranks: Mapping[str, int]) -> None:
        """Give jobs other ranks."""
        for job_id, rank in ranks.items():
            self._update(job_id, rank=rank)

    def begin(self, job_id: str) -> None:
        """A worker takes the job: it loads, and one more attempt is counted."""
        attempts = self.get(job_id).attempts + 1
        self._update(job_id, status="loading", attempts=attempts, started_at=_now())

    def running(self, job_id: str) -> None:
        """The first denoising step is done."""
        self._update(job_id, status="running")

    def requeue(self, job_id: str) -> None:
        """The job lost its worker and waits again, in its old place."""
        self._update(job_id, status="queued", restarted=1, started_at=None)

    def requeue_interrupted(self) -> None:
        """Queue again what a past process left unfinished."""
        for row in self._rows("SELECT * FROM jobs WHERE status IN ('loading', 'running')"):
            self.requeue(row.id)

    def warn(self, job_id: str, warnings: tuple[str, ...]) -> None:
        """Replace the job's warnings."""
        self._update(job_id, warnings=_WARNINGS.dump_json(warnings).decode())

    def end(self, job_id: str, status: Status, error: ErrorInfo | None = None) -> None:
        """The job is over."""
        self._update(job_id, status=status, error=error.model_dump_json() if error else None, finished_at=_now())

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _add_later_columns(self) -> None:
        known = {row["name"] for row in self._connection.execute("PRAGMA table_info(jobs)")}
        for name, kind in _LATER_COLUMNS.items():
            if name not in known:
                self._connection.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")

    def _update(self, job_id: str, **columns: str | int | None) -> None:
        with self._lock:
            self._unwritten.setdefault(job_id, {}).update(columns)
            try:
                self._write()
            except sqlite3.OperationalError as error:
                _log.warning("A job's change is kept in memory for now: %s", error)

    def _write(self) -> None:
        for job_id, columns in list(self._unwritten.items()):
            changes = ", ".join(f"{column} = ?" for column in columns)
            sql = f"UPDATE jobs SET {changes} WHERE id = ?"  # noqa: S608 - the columns are keywords of this module
            self._connection.execute(sql, (*columns.values(), job_id))
            del self._unwritten[job_id]

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[JobRow]:
        with self._lock:
            found = self._connection.execute(sql, values).fetchall()
            return [_read(dict(row) | self._unwritten.get(row["id"], {})) for row in found]


def _chosen(client: str | None, statuses: Collection[Status]) -> tuple[str, tuple[str | None, ...]]:
    """The part of a query that chooses the jobs, and its values."""
    marks = ", ".join("?" * len(statuses))
    return f"FROM jobs WHERE client = coalesce(?, client) AND status IN ({marks})", (client, *statuses)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _read(row: dict[str, Any]) -> JobRow:
    return JobRow(
        sequence=row["sequence"],
        rank=row["sequence"] if row["rank"] is None else row["rank"],
        id=row["id"],
        client=row["client"],
        status=row["status"],
        request=GenerationRequest.model_validate_json(row["request"]),
        model=row["model"],
        seed=row["seed"],
        attempts=row["attempts"],
        restarted=bool(row["restarted"]),
        warnings=_WARNINGS.validate_json(row["warnings"]),
        error=ErrorInfo.model_validate_json(row["error"]) if row["error"] else None,
        created_at=datetime.fromisoformat(row["created_at"]),
        started_at=_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
    )
