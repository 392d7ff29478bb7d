"""The gallery: saves pictures, finds them again, and never loses one because the disk said no."""

from __future__ import annotations

import hashlib
import io
import logging
import secrets
import shutil
import sqlite3
import threading
from pathlib import Path

from PIL import Image

from pipeline.errors import NotFound, OutputUnwritable
from pipeline.events import Picture, SavedImage
from pipeline.gallery import files
from pipeline.gallery.index import Index
from pipeline.gallery.kept import Kept
from pipeline.gallery.metadata import Origin, a1111_text, encode_png, read_origin, read_recipe
from pipeline.request import Recipe

logger = logging.getLogger(__name__)

_REMEDY = "Free some space or make it writable, or set DARKROOM_OUTPUTS to another folder."


class Gallery:
    """The pictures of one outputs folder. Safe to use from several threads and several processes.

    An outputs folder that cannot be written to does not stop the gallery from opening: what is there is shown, from
    an index in memory, `check_writable` says what is wrong, and new pictures are kept in memory.
    """

    def __init__(self, outputs: Path, database: Path) -> None:
        """Open the gallery: clean up after killed processes and take in pictures that the index does not know."""
        self.outputs = outputs
        self._thumbnails = outputs / ".darkroom" / "thumbnails"
        self._kept = Kept()
        self._retrying = threading.Lock()
        self._index = _open_index(outputs, database)
        files.clean(outputs)
        self._read_from_disk(only_new=True)

    def check_writable(self, bytes_needed: int = 64 * 2**20) -> None:
        """Raise `OutputUnwritable` if a picture could not be saved now, before any work is done for it."""
        try:
            files.probe(self.outputs)
            free = shutil.disk_usage(self.outputs).free
        except OSError as error:
            message = f"The outputs folder {self.outputs} takes no files: {_reason(error)}."
            raise OutputUnwritable(message, _REMEDY) from None
        if free < bytes_needed:
            raise OutputUnwritable(
                f"The disk of the outputs folder {self.outputs} is almost full: {free / 1e6:.0f} MB are free.", _REMEDY
            )

    def save(self, picture: Picture, job_id: str) -> SavedImage:
        """Write the picture to disk and index it. When the disk refuses, the result has no path and says why."""
        origin = Origin(id=secrets.token_hex(8), job_id=job_id, index=picture.index)
        image, png = _image(origin, picture.recipe), encode_png(picture, origin)
        try:
            image = self._to_disk(image, png)
        except OSError as error:
            image = image.model_copy(update={"unsaved": self._why_unsaved(error)})
        if image.path is None or not self._to_index(image):
            self._kept.put(image, png)
        else:
            self.retry_unsaved()  # the disk takes pictures, perhaps again
        return image

    def retry_unsaved(self) -> list[SavedImage]:
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

    def find(self, image_id: str) -> SavedImage:
        """The picture with that id; raises `NotFound`, also when its file was moved or deleted meanwhile."""
        if entry := self._kept.get(image_id):
            return entry[0]
        image = self._index.get(image_id)
        if image is None:
            raise NotFound(f"There is no image {image_id[:40]}.", "It may belong to another outputs folder.")
        if not self._present([image]):
            raise NotFound(
                f"The file of image {image_id} was moved or deleted.", "Put it back and start the studio again."
            )
        return image

    def png(self, image_id: str) -> bytes:
        """The PNG with its recipe inside, from disk or from memory; raises `NotFound`."""
        if entry := self._kept.get(image_id):
            return entry[1]
        path = self.find(image_id).path
        try:
            return path.read_bytes() if path else b""
        except OSError as error:
            raise NotFound(f"The file of image {image_id} cannot be read: {_reason(error)}.") from None

    def of_job(self, job_id: str) -> list[SavedImage]:
        """The pictures of a job by their index, whether saved or only kept."""
        kept = [image for image in self._kept.images() if image.job_id == job_id]
        saved = self._present(self._index.of_job(job_id))
        return sorted({image.id: image for image in (*saved, *kept)}.values(), key=lambda image: image.index)

    def recent(self, limit: int = 12, offset: int = 0) -> list[SavedImage]:
        """One page of all pictures, newest first."""
        kept = self._kept.images()
        skip = max(0, offset - len(kept))
        while True:
            page = self._index.newest(limit + len(kept), skip)
            if len(self._present(page)) == len(page):
                break
        images = {image.id: image for image in (*page, *kept)}.values()
        newest = sorted(images, key=lambda image: image.created_at, reverse=True)
        return newest[offset - skip : offset - skip + limit]

    def rebuild(self) -> int:
        """Read every PNG below the outputs folder into the index; return how many are Darkroom's."""
        return self._read_from_disk(only_new=False)

    def delete(self, image_id: str) -> None:
        """Remove a picture's files and its row; raises `NotFound`, and `OutputUnwritable` when the disk refuses."""
        path = self.find(image_id).path
        self._kept.drop(image_id)
        if path is None:
            return
        try:
            files.remove_picture(path)
            for thumbnail in self._thumbnails.glob(f"{image_id}-*.webp"):
                thumbnail.unlink(missing_ok=True)
        except OSError as error:
            raise OutputUnwritable(f"Image {image_id} cannot be deleted: {_reason(error)}.", _REMEDY) from None
        self._index.remove([path])

    def thumbnail(self, image_id: str, side: int = 256) -> bytes:
        """A WebP that fits a square of `side` pixels; made once and cached on disk. Raises `NotFound`."""
        image_id = self.find(image_id).id
        cached = self._thumbnails / f"{image_id}-{side}.webp"
        try:
            return cached.read_bytes()
        except OSError:
            webp = _shrink(image_id, self.png(image_id), side)
        try:
            files.write_atomically(cached, webp)
        except OSError as error:
            logger.info("Thumbnail not cached: %s", _reason(error))
        return webp

    def close(self) -> None:
        self._index.close()

    def _to_disk(self, image: SavedImage, png: bytes) -> SavedImage:
        """Write the files, unless they are written already; raises `OSError`."""
        if image.path is not None:
            return image
        path = files.write_picture(self.outputs, image.recipe, png, a1111_text(image.recipe))
        return image.model_copy(update={"path": path, "unsaved": ""})

    def _to_index(self, image: SavedImage) -> bool:
        """Index a picture that is safe on disk. Failing that, the next start finds it there."""
        try:
            self._index.put([image])
        except sqlite3.Error as error:
            logger.warning("Image %s is saved but not indexed yet: %s", image.id, error)
            return False
        return True

    def _read_from_disk(self, only_new: bool) -> int:
        """Bring the index up to date with the PNGs on disk; return how many rows were written."""
        known = self._index.paths()  # before the folder is read: rows that come later are another process's
        on_disk = set(files.pictures(self.outputs))
        self._index.remove(known - on_disk)
        found: dict[str, SavedImage] = {}
        for path in sorted(on_disk - known if only_new else on_disk):
            image = _read_image(path)
            if image and not self._is_copy(image):
                found.setdefault(image.id, image)
        self._index.put(found.values())
        return len(found)

    def _is_copy(self, image: SavedImage) -> bool:
        """Whether the index knows the same picture under another path that still exists."""
        indexed = self._index.get(image.id)
        return indexed is not None and indexed.path != image.path and bool(self._present([indexed]))

    def _present(self, images: list[SavedImage]) -> list[SavedImage]:
        """Those whose file is where the index says; the rows of the others are dropped."""
        missing = [image.path for image in images if image.path and not image.path.is_file()]
        if missing:
            self._index.remove(missing)
        return [image for image in images if image.path not in missing]

    def _why_unsaved(self, error: OSError) -> str:
        return (
            f"The picture could not be written to {self.outputs} ({_reason(error)}) and is kept in memory only. "
            "Download it now, or make room: it is then saved together with the next picture."
        )


def _open_index(outputs: Path, database: Path) -> Index:
    try:
        return Index(outputs, database)
    except (sqlite3.Error, OSError) as error:
        logger.warning("The picture index %s cannot be used (%s); one in memory stands in.", database, error)
        return Index(outputs, None)


def _image(origin: Origin, recipe: Recipe, path: Path | None = None) -> SavedImage:
    return SavedImage(
        id=origin.id,
        job_id=origin.job_id,
        index=origin.index,
        path=path,
        recipe=recipe,
        created_at=recipe.created_at,
    )


def _read_image(path: Path) -> SavedImage | None:
    """The picture in a file; None when the file is not a picture of Darkroom's, or vanished."""
    try:
        recipe = read_recipe(path)
        if recipe is None:
            return None
        origin = read_origin(path)
        if origin is None:  # an editor kept the recipe but not the id: one that depends on the file alone
            origin = Origin(id=hashlib.sha256(path.read_bytes()).hexdigest()[:16], job_id="", index=0)
    except OSError:
        return None
    return _image(origin, recipe, path)


def _shrink(image_id: str, png: bytes, side: int) -> bytes:
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            small = image.convert("RGB")
            small.thumbnail((side, side))
            small.save(buffer, "WEBP", quality=80)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise NotFound(f"The file of image {image_id} is damaged.", "Make the picture again.") from None
    return buffer.getvalue()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
