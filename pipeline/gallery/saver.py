"""Writes pictures to disk and into the index; what the disk refuses is kept in memory until it takes it."""

from __future__ import annotations

import logging
import secrets
import shutil
import sqlite3
import threading
from pathlib import Path

from pipeline.errors import OutputUnwritable
from pipeline.events import Picture, SavedImage
from pipeline.gallery import files
from pipeline.gallery.index import Index, row_of
from pipeline.gallery.kept import Kept
from pipeline.gallery.metadata import Origin, a1111_text, encode_png
from pipeline.gallery.scan import image_of

logger = logging.getLogger(__name__)

REMEDY = "Free some space or make it writable, or set DARKROOM_OUTPUTS to another folder."


class Saver:
    """Safe to use from several threads."""

    def __init__(self, outputs: Path, index: Index, kept: Kept) -> None:
        self._outputs, self._index, self._kept = outputs, index, kept
        self._retrying = threading.Lock()

    def check_writable(self, bytes_needed: int = 64 * 2**20) -> None:
        """Raise `OutputUnwritable` if a picture could not be saved now, before any work is done for it."""
        try:
            files.probe(self._outputs)
            free = shutil.disk_usage(self._outputs).free
        except OSError as error:
            message = f"The outputs folder {self._outputs} takes no files: {reason(error)}."
            raise OutputUnwritable(message, REMEDY) from None
        if free < bytes_needed:
            raise OutputUnwritable(
                f"The disk of the outputs folder {self._outputs} is almost full: {free / 1e6:.0f} MB are free.", REMEDY
            )

    def save(self, picture: Picture, job_id: str) -> SavedImage:
        """Write the picture to disk and index it. When the disk refuses, the result has no path and says why."""
        origin = Origin(id=secrets.token_hex(8), job_id=job_id, index=picture.index)
        image, png = image_of(origin, picture.recipe), encode_png(picture, origin)
        try:
            image = self._to_disk(image, png)
        except OSError as error:
            image = image.model_copy(update={"unsaved": self._why_unsaved(error)})
        if image.path is None or not self._to_index(image):
            self._kept.put(image, png)
        else:
            self.retry()  # the disk takes pictures, perhaps again
        return image

    def retry(self) -> list[SavedImage]:
        """Write the pictures that are only in memory, oldest first, until the disk refuses; return those now saved."""
        saved: list[SavedImage] = []
        with self._retrying:
            for waiting in self._kept.images():
                entry = self._kept.get(waiting.id)
                if entry is None:
                    continue
                try:
                    image = self._to_disk(*entry)
                except OSError:
                    break
                if self._to_index(image):
                    self._kept.drop(image.id)
                else:
                    self._kept.put(image, entry[1])
                saved.append(image)
        return saved

    def _to_disk(self, image: SavedImage, png: bytes) -> SavedImage:
        """Write the files, unless they are written already; raises `OSError`."""
        if image.path is not None:
            return image
        path = files.write_picture(self._outputs, image.recipe, png, a1111_text(image.recipe))
        return image.model_copy(update={"path": path, "unsaved": ""})

    def _to_index(self, image: SavedImage) -> bool:
        """Index a picture that is safe on disk. Failing that, the next start finds it there."""
        try:
            self._index.put([row_of(image)])
        except sqlite3.Error as error:
            logger.warning("Image %s is saved but not indexed yet: %s", image.id, error)
            return False
        return True

    def _why_unsaved(self, error: OSError) -> str:
        return (
            f"The picture could not be written to {self._outputs} ({reason(error)}) and is kept in memory only. "
            "Download it now, or make room: it is then saved together with the next picture."
        )


def reason(error: OSError | sqlite3.Error) -> str:
    """What the system says went wrong."""
    return getattr(error, "strerror", None) or str(error)
