"""One queue for one outputs folder: the lock that gives it to one studio at a time, and where that one answers."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.errors import FolderInUse, OutputUnwritable
from pipeline.settings import Settings

_PATIENCE = 0.5
"""Seconds to wait for the lock: `address` holds it for a moment to see whether it is free."""


class Claim:
    """A folder's queue, taken for this process alone."""

    def __init__(self, lock: FileLock, note: Path) -> None:
        self._lock, self._note = lock, note

    def announce(self, url: str) -> None:
        """Let other processes of this machine know where the studio answers. A disk that takes no note is no reason to
        stop."""
        part = self._note.with_suffix(".part")
        with suppress(OSError):
            part.write_text(json.dumps({"pid": os.getpid(), "url": url}))
            part.replace(self._note)

    def release(self) -> None:
        """Give the folder back."""
        with suppress(OSError):
            self._note.unlink(missing_ok=True)
        self._lock.release()


def claim(settings: Settings) -> Claim:
    """Take the folder's queue for this process alone. Raises `FolderInUse` and `OutputUnwritable`."""
    lock, note = _lock(settings), _note(settings)
    try:
        lock.acquire(timeout=_PATIENCE)
        note.write_text(json.dumps({"pid": os.getpid()}))
    except Timeout:
        raise FolderInUse(
            f"Another studio (process {_noted(note, 'pid')}) already runs the queue in {settings.outputs}.",
            "Use that one, stop it, or set DARKROOM_OUTPUTS to another folder.",
        ) from None
    except OSError as error:
        raise OutputUnwritable(
            f"The queue cannot be kept in {settings.data_folder}: {error.strerror or error}.",
            "Make the folder writable, or set DARKROOM_OUTPUTS to another one.",
        ) from error
    return Claim(lock, note)


def address(settings: Settings) -> str | None:
    """Where the studio answers that runs the folder's queue now; None when none does, or when it has not said so.

    What a process that was killed has left is known by the lock: nobody holds it.
    """
    url = _noted(_note(settings), "url")
    return url if isinstance(url, str) and is_held(settings) else None


def is_held(settings: Settings) -> bool:
    """Whether a persistent studio has the folder's queue now."""
    lock = _lock(settings)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _lock(settings: Settings) -> FileLock:
    """Not bound to a thread: whoever closes the studio gives it back."""
    return FileLock(settings.data_folder / "studio.lock", thread_local=False)


def _note(settings: Settings) -> Path:
    return settings.data_folder / "studio.json"


def _noted(note: Path, key: str) -> Any:
    try:
        return json.loads(note.read_text()).get(key)
    except (OSError, ValueError, AttributeError):
        return None
