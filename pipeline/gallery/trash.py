"""Deleted pictures, which can be brought back for thirty days.

    outputs/.darkroom/trash/{id}/{folder}/{name}.png        and .txt, below where they were in the outputs

The files are all there is to know, so nothing is lost with the index. The time of change of `{id}` is when the picture
was deleted.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.gallery import files

LIFETIME = 30 * 24 * 3600.0
"""Seconds for which a deleted picture is kept."""

_ID = re.compile("[0-9a-f]{16}")


class Trash:
    """The deleted pictures of one outputs folder. Several threads and processes may use it at once."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self.folder = outputs / ".darkroom" / "trash"

    def put(self, image_id: str, path: Path) -> Path:
        """Move a picture here and return its new path. Raises `OSError`, and then the picture is where it was."""
        entry = self.folder / image_id
        moved = files.move_picture(path, entry / path.parent.relative_to(self._outputs))
        os.utime(entry)
        return moved

    def take_back(self, image_id: str) -> list[Path]:
        """Move a picture back to where it was, under another name if that was taken; where it is now.

        Nothing for a picture that is not here. Raises `OSError` when the disk refuses.
        """
        if not _ID.fullmatch(image_id):
            return []
        entry = self.folder / image_id
        back = [
            files.move_picture(path, self._outputs / path.parent.relative_to(entry))
            for path in list(files.pictures(entry))
        ]
        shutil.rmtree(entry, ignore_errors=True)
        return back

    def ids(self, older_than: float = 0.0) -> list[str]:
        """The pictures that were deleted at least so many seconds ago. Raises `OSError` when they cannot be listed."""
        latest = time.time() - older_than
        return [entry.name for entry in self._entries() if entry.stat().st_mtime <= latest]

    def remove(self, image_ids: Iterable[str]) -> int:
        """Remove these pictures for good; return how many bytes they took. Raises `OSError` when the disk refuses."""
        freed = 0
        for image_id in image_ids:
            entry = self.folder / image_id
            freed += sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
            shutil.rmtree(entry)
        return freed

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder) as entries:
                yield from (entry for entry in entries if _ID.fullmatch(entry.name))
        except (FileNotFoundError, NotADirectoryError):
            return
