"""Keeps the index as the disk is: takes in what came, forgets what went, follows what was moved."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from pipeline.events import SavedImage
from pipeline.gallery import files
from pipeline.gallery.files import Stamp
from pipeline.gallery.folders import Folders, Listing
from pipeline.gallery.index import Index, Row
from pipeline.gallery.metadata import Origin, read_origin, read_recipe
from pipeline.recipe import Recipe

logger = logging.getLogger(__name__)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first bytes of every PNG."""
_LARGEST = 2**31
"""Sizes and places beyond this are no picture's, and SQLite would not take all of them."""


class Scan:
    """Compares the index with the outputs folder and the trash. Safe to call from several threads.

    A file is a picture of ours by what it carries, wherever it is. Of several files with one id the first stays the
    one that is shown, except that a file in the trash gives way to any other.
    """

    def __init__(self, outputs: Path, trash: Path, index: Index) -> None:
        self._trash, self._index = trash, index
        self._roots = (Folders(outputs), Folders(trash))
        self._left: Listing = {}
        """Files that are not shown: those of other tools, and copies. Their stamps, so that they are read once."""
        self._lock = threading.Lock()

    def refresh(self) -> bool:
        """Look at the folders that changed since the last time; whether the index changed by it."""
        with self._lock:
            if not any(root.changed() for root in self._roots):
                return False
            known = self._index.stamps()  # before the folders are read: rows that come later are another process's
            folders = {folder: listing for root in self._roots for folder, listing in root.read().items()}
            on_disk = {path: stamp for listing in folders.values() for path, stamp in listing.items()}
            looked_at = {path: stamp for path, stamp in known.items() if self._in(folders, path.rpartition(os.sep)[0])}
            return self._update(looked_at, on_disk) > 0

    def look_at(self, paths: Iterable[Path]) -> None:
        """Bring the index up to date with these files, whether they are there or not."""
        known = {str(path): Stamp(-1, -1) for path in paths}
        with self._lock:
            self._update(known, {path: stamp for path in known if (stamp := files.stamp(Path(path)))})

    def read_again(self) -> int:
        """Read every file anew; return how many are pictures of ours."""
        with self._lock:
            known = dict.fromkeys(self._index.stamps(), Stamp(-1, -1))
            self._forget()
            listings = [listing for root in self._roots for listing in root.read().values()]
            on_disk = {path: stamp for listing in listings for path, stamp in listing.items()}
            self._update(known, on_disk)
            return len(self._index.stamps())

    def look_for_copies(self) -> None:
        """Let the next refresh look at everything: a copy may have become the only one."""
        with self._lock:
            if self._left:
                self._forget()

    def _update(self, known: Listing, on_disk: Listing) -> int:
        """Make the index of `known` one of `on_disk`; return how many rows went or came."""
        gone = [path for path in known if path not in on_disk]
        new = {path: stamp for path, stamp in on_disk.items() if stamp not in (known.get(path), self._left.get(path))}
        found = self._read(new)
        try:
            self._index.replace([*gone, *(path for path in new if path in known)], found)
        except sqlite3.Error as error:
            logger.warning("The index could not be brought up to date: %s", error)
            self._forget()
            return 0
        if gone and self._left:
            self._forget()
        return len(gone) + len(found)

    def _forget(self) -> None:
        self._left.clear()
        for root in self._roots:
            root.forget()

    def _read(self, new: Listing) -> list[Row]:
        """Those of the new files that are to be shown."""
        rows: dict[str, Row] = {}
        for path in sorted(map(Path, new), key=lambda path: (self._is_deleted(path), path)):
            image = _read_image(path, self._is_deleted(path))
            if image is not None and image.id not in rows and not self._gives_way(image):
                rows[image.id] = Row(image, new[str(path)])
            elif path.is_file():
                self._left[str(path)] = new[str(path)]
        return list(rows.values())

    def _gives_way(self, image: SavedImage) -> bool:
        """Whether the index knows the same picture under another path that still exists."""
        row = self._index.get(image.id)
        if row is None or row.path == image.path or not row.path.is_file():
            return False
        return image.deleted or not row.image.deleted

    def _in(self, folders: Collection[str], folder: str) -> bool:
        """Whether a folder is one of these, or none of those that are there."""
        return folder in folders or not any(folder in root for root in self._roots)

    def _is_deleted(self, path: Path) -> bool:
        return path.is_relative_to(self._trash)


def image_of(origin: Origin, recipe: Recipe, path: Path | None = None, deleted: bool = False) -> SavedImage:
    """The picture that a file carries."""
    return SavedImage(
        id=origin.id,
        job_id=origin.job_id,
        index=origin.index,
        path=path,
        recipe=recipe,
        created_at=recipe.created_at,
        deleted=deleted,
    )


def _read_image(path: Path, deleted: bool) -> SavedImage | None:
    """The picture in a file; None when the file is not a picture of Darkroom's, or vanished."""
    try:
        recipe = read_recipe(path) if _is_png(path) else None
        if recipe is None:
            return None
        origin = read_origin(path)
        if origin is None:  # an editor kept the recipe but not the id: one that depends on the file alone
            origin = Origin(id=hashlib.sha256(path.read_bytes()).hexdigest()[:16], job_id="", index=0)
    except OSError:
        return None
    return (
        image_of(origin, recipe, path, deleted) if max(recipe.width, recipe.height, origin.index) < _LARGEST else None
    )


def _is_png(path: Path) -> bool:
    """Whether it is one inside too: a copy in another format that was renamed carries a recipe as well."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE
