"""Which folders changed since they were last read, told by their times of change, so that looking again costs little.

A folder's time of change moves when something in it is added, removed or renamed. Files that are written over in
place are noticed where they are used, by their own stamp.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline.gallery import files
from pipeline.gallery.files import Stamp

_SETTLED_NS = 2 * 10**9
"""A folder that changed more recently may change again within one tick of its clock, so it is read again next time."""
_AGAIN = -1
"""No folder's time of change: a folder remembered with it is read again next time."""

Listing = dict[str, Stamp]
"""Files by their paths: plain text, as there may be many thousands of them."""


class Folders:
    """Remembers every folder below `root` that can hold pictures. For one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._seen: dict[str, int] = {}

    def __contains__(self, folder: str) -> bool:
        """Whether the folder was there when it was last looked for."""
        return folder in self._seen

    def changed(self) -> list[str]:
        """The folders that changed since they were read, or may have."""
        if not self._seen:
            return [self._root] if _time_of_change(self._root) is not None else []
        return [folder for folder, seen in self._seen.items() if _time_of_change(folder) != seen]

    def read(self) -> dict[str, Listing]:
        """Each folder that changed with the PNGs that are directly in it now; none where it is gone."""
        waiting = self.changed()
        found: dict[str, Listing] = {}
        while waiting:
            folder = waiting.pop()
            if folder not in found:
                found[folder], subfolders = self._read(folder)
                waiting += [subfolder for subfolder in subfolders if subfolder not in self._seen]
        return found

    def forget(self) -> None:
        """Read everything the next time."""
        self._seen.clear()

    def _read(self, folder: str) -> tuple[Listing, list[str]]:
        before = _time_of_change(folder)  # before it is read, so that what happens meanwhile is noticed the next time
        if before is None:
            self._seen.pop(folder, None)
            return {}, []
        self._seen[folder] = before if before < time.time_ns() - _SETTLED_NS else _AGAIN
        try:
            return _listing(folder)
        except OSError:
            self._seen[folder] = _AGAIN
            return {}, []


def _listing(folder: str) -> tuple[Listing, list[str]]:
    """The PNGs in `folder`, and its subfolders; raises `OSError`."""
    pictures: Listing = {}
    subfolders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if files.is_picture(entry.name) and (stamp := files.stamp(entry)):
                pictures[entry.path] = stamp
            elif files.is_shown(entry.name) and entry.is_dir(follow_symlinks=False):
                subfolders.append(entry.path)
    return pictures, subfolders


def _time_of_change(folder: str) -> int | None:
    """The folder's time of change in nanoseconds; None when it is not there."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return None
