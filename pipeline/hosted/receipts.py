"""What was ordered from providers and what has come, written down before anything else is done with it.

    {folder}/{job}-{index}.call   a call that is under way, from its first picture on
    {folder}/{job}-{index}.file   a picture that has come and is not in the gallery yet, as it was sent,
    {folder}/{job}-{index}.json   and its recipe

So a picture that was paid for outlives a crash at any moment, and no call is made twice by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.gallery.files import write_atomically
from pipeline.recipe import Recipe

logger = logging.getLogger(__name__)


class Begun(BaseModel):
    """A call that is under way, or was when the studio ended."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    index: int
    """The first picture that it is to bring."""
    count: int
    task: str = ""
    """The provider's id of it, by which its pictures are found; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture that has come: the file as it was sent, and its recipe but for what only the pixels tell."""

    job_id: str
    index: int
    draft: Recipe
    data: bytes


class Receipts:
    """The folder. Whatever the disk refuses is logged, and the work goes on: it is the picture that counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, call: Begun) -> None:
        """Note that a call is made, before it is; or what is known of it by now."""
        self._write(self._path(call.job_id, call.index, "call"), call.model_dump_json().encode())

    def end(self, call: Begun) -> None:
        """Note that nothing more comes of a call."""
        self._remove(self._path(call.job_id, call.index, "call"))

    def begun(self, job_id: str) -> list[Begun]:
        """The calls of a job of which the end is not known, in the order of their pictures."""
        found = [call for path in self._folder.glob(f"{job_id}-*.call") if (call := _read(path))]
        return sorted(found, key=lambda call: call.index)

    def jobs(self) -> set[str]:
        """The jobs with calls of which the end is not known."""
        return {path.stem.rpartition("-")[0] for path in self._folder.glob("*.call")}

    def keep(self, job_id: str, index: int, data: bytes) -> None:
        """Keep a picture as it was sent."""
        self._write(self.file(job_id, index), data)

    def note(self, arrived: Arrived) -> None:
        """Note how a picture was made that is kept by now: with that it can go to the gallery."""
        self._write(self._path(arrived.job_id, arrived.index, "json"), arrived.draft.model_dump_json().encode())

    def settle(self, job_id: str, index: int) -> None:
        """Let go of a picture that is in the gallery."""
        for kind in ("json", "file"):
            self._remove(self._path(job_id, index, kind))

    def file(self, job_id: str, index: int) -> Path:
        """Where a picture is kept as it was sent."""
        return self._path(job_id, index, "file")

    def left(self) -> Iterator[Arrived]:
        """The pictures that came and that the gallery does not have yet."""
        for note in sorted(self._folder.glob("*.json")):
            job_id, _, index = note.stem.rpartition("-")
            with suppress(OSError, ValueError):
                draft, data = Recipe.from_json(note.read_text("utf-8")), note.with_suffix(".file").read_bytes()
                yield Arrived(job_id, int(index), draft, data)

    def _path(self, job_id: str, index: int, kind: str) -> Path:
        return self._folder / f"{job_id}-{index}.{kind}"

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_atomically(path, data)
        except OSError as error:
            logger.warning("A receipt could not be written: %s", error)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _read(path: Path) -> Begun | None:
    try:
        return Begun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
