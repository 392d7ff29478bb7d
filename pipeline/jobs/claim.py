"""One queue for one outputs folder: the lock that gives it to one studio at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import FolderInUse, OutputUnwritable
from pipeline.settings import Settings


def claim(settings: Settings) -> FileLock:
    """Take the folder's queue for this process alone; raises `FolderInUse`."""
    lock = FileLock(settings.data_folder / "studio.lock")
    note = settings.data_folder / "studio.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUse(
            f"Another studio (process {_holder(note)}) already runs the queue in {settings.outputs}.",
            "Use that one, stop it, or set DARKROOM_OUTPUTS to another folder.",
        ) from None
    except OSError as error:
        raise OutputUnwritable(
            f"The queue cannot be kept in {settings.data_folder}: {error.strerror or error}.",
            "Make the folder writable, or set DARKROOM_OUTPUTS to another one.",
        ) from error
    note.write_text(json.dumps({"pid": os.getpid()}))
    return lock


def _holder(note: Path) -> str:
    try:
        return str(json.loads(note.read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return "unknown"
