"""Comparisons as files: one JSON file for each, in a folder of the data folder.

A file that cannot be read is left where it is, told once in the log, and passed over. Other processes may write to
the folder too, so it is looked at anew each time; a file is only read again when it has changed.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Container, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.compare.grid import Comparison
from pipeline.errors import DarkroomError, NotFound, OutputUnwritable
from pipeline.gallery.files import write_atomically
from pipeline.request import GenerationRequest

_ID = re.compile(r"[0-9a-f]{16}")
_Stamp = tuple[int, int]
"""When a file was changed, in nanoseconds, and its size."""
_log = logging.getLogger(__name__)


class StoredCell(BaseModel):
    """The job that makes, or made, one picture."""

    model_config = ConfigDict(frozen=True)

    attempt: int = 1
    """Goes up when the picture is asked for again."""
    job: str | None = None
    """Id of the job; None until it is queued."""


class StoredComparison(BaseModel):
    """A comparison as its file holds it."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    id: str
    client: str
    created_at: datetime
    comparison: Comparison
    """With everything drawn that was random."""
    cells: tuple[StoredCell, ...]
    """Row by row."""
    queued: bool = False
    """False while cells without a job are being queued, or when the process ended while it queued them."""

    def requests_left(self) -> list[tuple[int, GenerationRequest]]:
        """Place and request of each cell that has no job yet."""
        requests = [cell.request for cell in self.comparison.cells()]
        return [(place, requests[place]) for place, cell in enumerate(self.cells) if cell.job is None]

    def with_jobs(self, jobs: Mapping[int, str]) -> Self:
        """All queued: the cells at these places by these jobs."""
        cells = [cell.model_copy(update={"job": jobs.get(place, cell.job)}) for place, cell in enumerate(self.cells)]
        return self.model_copy(update={"cells": tuple(cells), "queued": True})

    def again(self, places: Container[int]) -> Self:
        """The cells at these places to be queued once more."""
        cells = [
            StoredCell(attempt=cell.attempt + 1) if place in places else cell for place, cell in enumerate(self.cells)
        ]
        return self.model_copy(update={"cells": tuple(cells), "queued": False})

    def with_attempts_of(self, later: Self) -> Self:
        """With the numbers counted up to those of a try that came to nothing: they are used."""
        pairs = zip(self.cells, later.cells, strict=True)
        cells = [cell.model_copy(update={"attempt": tried.attempt}) for cell, tried in pairs]
        return self.model_copy(update={"cells": tuple(cells)})

    def given_up(self) -> Self:
        """The cells without a job are not to be queued by themselves."""
        return self.model_copy(update={"queued": True})


class ComparisonFiles:
    """The files of one folder. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """`folder` need not be there yet."""
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[_Stamp, StoredComparison | None]] = {}

    def get(self, comparison_id: str) -> StoredComparison:
        """The comparison with that id; raises `NotFound`."""
        found = self._look(self._path(comparison_id)) if _ID.fullmatch(comparison_id) else None
        if found is None:
            raise NotFound(f"There is no comparison {comparison_id[:40]}.", "It may belong to another outputs folder.")
        return found

    def newest(self) -> list[StoredComparison]:
        """All of them, newest first."""
        found = [stored for path in self._paths() if (stored := self._look(path)) is not None]
        return sorted(found, key=lambda stored: (stored.created_at, stored.id), reverse=True)

    def put(self, stored: StoredComparison) -> None:
        """Write a comparison, whole or not at all. Raises `OutputUnwritable`."""
        try:
            write_atomically(self._path(stored.id), stored.model_dump_json(indent=1).encode())
            self._forget(self._path(stored.id))  # two writes may come within one tick of the file system's clock
        except OSError as error:
            raise OutputUnwritable(
                f"The comparison could not be stored: {error.strerror or error}.",
                "Free some space at DARKROOM_OUTPUTS, or set it elsewhere.",
            ) from error

    def remove(self, comparison_id: str) -> None:
        """Delete a comparison's file; what is gone already is fine. Raises `OutputUnwritable`."""
        try:
            self._path(comparison_id).unlink(missing_ok=True)
        except OSError as error:
            raise OutputUnwritable(f"The comparison cannot be removed: {error.strerror or error}.") from error

    def _path(self, comparison_id: str) -> Path:
        return self._folder / f"{comparison_id}.json"

    def _paths(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self._folder.iterdir() if path.suffix == ".json" and _ID.fullmatch(path.stem)]
        return []

    def _look(self, path: Path) -> StoredComparison | None:
        """The comparison in that file, or None where there is none that can be read."""
        try:
            status = path.stat()
        except OSError:
            self._forget(path)
            return None
        stamp = status.st_mtime_ns, status.st_size
        with self._lock:
            known = self._read.get(path)
            if known is None or known[0] != stamp:
                known = self._read[path] = stamp, _read(path)
            return known[1]

    def _forget(self, path: Path) -> None:
        with self._lock:
            self._read.pop(path, None)


def _read(path: Path) -> StoredComparison | None:
    try:
        stored = StoredComparison.model_validate_json(path.read_bytes())
        across, down = stored.comparison.shape
        if stored.id != path.stem or len(stored.cells) != across * down:
            raise ValueError("it is not what its name says")
    except (OSError, ValueError, ValidationError, DarkroomError) as error:
        _log.warning("The comparison in %s cannot be read and is passed over: %s", path, error)
        return None
    return stored
