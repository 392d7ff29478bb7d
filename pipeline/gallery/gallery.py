"""The gallery: saves pictures, finds them again, and never loses one because the disk said no."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from pipeline.errors import InvalidRequest, NotFound, OutputUnwritable
from pipeline.events import Picture, SavedImage
from pipeline.gallery import files, lineage, trash
from pipeline.gallery.archive import entries_of, stream
from pipeline.gallery.index import Index, Row, row_of
from pipeline.gallery.kept import Kept
from pipeline.gallery.query import Facets, ImagePage, ImageQuery, matches, with_more
from pipeline.gallery.saver import REMEDY, Saver, reason
from pipeline.gallery.scan import Scan
from pipeline.gallery.thumbnails import Thumbnails
from pipeline.gallery.trash import Trash

logger = logging.getLogger(__name__)


class Gallery:
    """The pictures of one outputs folder. Safe to use from several threads and several processes.

    An outputs folder that cannot be written to does not stop the gallery from opening: what is there is shown, from
    an index in memory, `check_writable` says what is wrong, and new pictures are kept in memory.
    """

    def __init__(self, outputs: Path, database: Path) -> None:
        """Open the gallery: clean up, and bring the index up to date with what is on disk."""
        self.outputs = outputs
        self._kept, self._kept_deleted = Kept(), Kept()
        self._trash, self._thumbnails = Trash(outputs), Thumbnails(outputs)
        self._index = _open_index(outputs, database)
        self._saver = Saver(outputs, self._index, self._kept)
        self._scan = Scan(outputs, self._trash.folder, self._index)
        files.clean(outputs)
        self._remove_old()
        self.refresh()

    # -- saving -------------------------------------------------------------------------------------------------

    def check_writable(self, bytes_needed: int = 64 * 2**20) -> None:
        """Raise `OutputUnwritable` if a picture could not be saved now, before any work is done for it."""
        self._saver.check_writable(bytes_needed)

    def save(self, picture: Picture, job_id: str) -> SavedImage:
        """Write the picture to disk and index it. When the disk refuses, the result has no path and says why.

        Its recipe gets that of the picture which it was made from, as far as that is one of the gallery.
        """
        parent = self._with_pixels(picture.recipe.image)
        if parent is not None:
            picture = replace(picture, recipe=lineage.descended(picture.recipe, parent.recipe))
        return self._saver.save(picture, job_id)

    def retry_unsaved(self) -> list[SavedImage]:
        """Write the pictures that are only in memory, oldest first, until the disk refuses; return those now saved."""
        return self._saver.retry()

    # -- finding ------------------------------------------------------------------------------------------------

    def find(self, image_id: str) -> SavedImage:
        """The picture with that id, deleted or not; raises `NotFound`, also when its file is gone for good."""
        if entry := self._in_memory(image_id):
            return entry[0]
        row = self._index.get(image_id)
        if row is None:
            raise NotFound(f"There is no image {image_id[:40]}.", "It may belong to another outputs folder.")
        for image in self._current(lambda: [row] if (row := self._index.get(image_id)) else []):
            return image
        raise NotFound(f"The file of image {image_id} was moved or deleted.", "Put it back into the outputs folder.")

    def png(self, image_id: str) -> bytes:
        """The PNG with its recipe inside, from disk or from memory; raises `NotFound`."""
        with suppress(OSError):  # it may be moved between being found and being read, and is looked for once more
            return self._png(image_id)
        try:
            return self._png(image_id)
        except OSError as error:
            raise NotFound(f"The file of image {image_id} cannot be read: {reason(error)}.") from None

    def of_job(self, job_id: str) -> list[SavedImage]:
        """The pictures of a job by their index, whether saved or only kept, without the deleted ones."""
        kept = [image for image in self._kept.images() if image.job_id == job_id]
        saved = self._current(lambda: self._index.of_job(job_id))
        return sorted({image.id: image for image in (*saved, *kept)}.values(), key=lambda image: image.index)

    def recent(self, limit: int = 12, offset: int = 0) -> list[SavedImage]:
        """One page of all pictures, newest first."""
        return list(self.search(ImageQuery(), limit, offset).images)

    def parent(self, image: SavedImage) -> SavedImage | None:
        """The picture of the gallery that `image` was made from, deleted or not; None if it is not one of them."""
        return self._with_pixels(image.recipe.image)

    def ancestors(self, image: SavedImage) -> list[SavedImage]:
        """The pictures of the gallery before `image`, the earliest first, deleted or not; as many as a recipe holds."""
        found: list[SavedImage] = []
        while len(found) < lineage.DEPTH and (before := self.parent(found[0] if found else image)) is not None:
            found.insert(0, before)
        return found

    def children(self, image: SavedImage) -> list[SavedImage]:
        """The pictures that were made from `image`, oldest first."""
        return self._current(lambda: self._index.made_from(image.recipe.pixels))

    def search(self, query: ImageQuery, limit: int = 60, offset: int = 0) -> ImagePage:
        """One page of the pictures that are wanted, newest first."""
        kept = [image for image in self._only_kept() if matches(query, image)]
        skip = max(0, offset - len(kept))
        saved = self._current(lambda: self._index.search(query, limit + len(kept), skip))
        newest = sorted((*saved, *kept), key=lambda image: image.created_at, reverse=True)
        page = newest[offset - skip : offset - skip + limit]
        return ImagePage(images=tuple(page), total=self._index.count(query) + len(kept))

    def facets(self) -> Facets:
        """The models and sizes of which there are pictures."""
        return with_more(self._index.facets(), self._only_kept())

    def input_ids(self) -> set[str]:
        """The pictures that those here were made from, by the ids under which `pipeline.pictures.store` has them."""
        return self._index.input_ids()

    def version(self, image: SavedImage) -> str:
        """A short text that changes whenever the picture's file does."""
        found = files.stamp(image.path) if image.path else None
        return f"{found.modified:x}.{found.size:x}" if found else "kept"

    def thumbnail(self, image_id: str, side: int = 256) -> bytes:
        """A WebP that fits a square of `side` pixels; made once and kept on disk. Raises `NotFound`."""
        image = self.find(image_id)
        return self._thumbnails.get(image.id, self.version(image), side, lambda: self.png(image.id))

    def archive(self, image_ids: Iterable[str]) -> Iterator[bytes]:
        """A ZIP with these pictures and the text of each, piece by piece. Raises `NotFound` at once."""
        images = [self.find(image_id) for image_id in dict.fromkeys(image_ids)]
        return stream(chain.from_iterable(entries_of(image, partial(self.png, image.id)) for image in images))

    # -- changing -----------------------------------------------------------------------------------------------

    def mark(self, image_id: str, *, favourite: bool | None = None, rating: int | None = None) -> SavedImage:
        """Keep whether a picture is a favourite, and how many stars it has, 0 to 5; None leaves it as it is.

        Raises `NotFound`, `InvalidRequest`, and `OutputUnwritable` when it cannot be kept.
        """
        image = self.find(image_id)
        if rating is not None and not 0 <= rating <= 5:
            raise InvalidRequest(f"A picture cannot have {rating} stars.", "Give it 0 to 5.", field="rating")
        if not self._index.lasting:
            raise OutputUnwritable("The mark cannot be kept: the index of the pictures cannot be used.", REMEDY)
        try:
            self._index.mark(image.id, favourite, rating)
        except sqlite3.Error as error:
            raise OutputUnwritable(f"The mark cannot be kept: {error}.", REMEDY) from None
        given = {"favourite": favourite, "rating": rating}
        self._kept.update(image.id, {name: value for name, value in given.items() if value is not None})
        return self.find(image.id)

    def delete(self, image_ids: Sequence[str]) -> tuple[str, ...]:
        """Move pictures to the trash, from which they can be brought back; return the ids of those that were moved.

        What is deleted already, or gone, is left out. Raises `OutputUnwritable` when the disk refuses, and then
        nothing is deleted.
        """
        deleted: list[str] = []
        try:
            for image_id in dict.fromkeys(image_ids):
                deleted += [image_id] if self._delete(image_id) else []
        except (OSError, sqlite3.Error) as error:
            with suppress(OutputUnwritable):
                self.restore(deleted)
            raise OutputUnwritable(f"The pictures cannot be deleted: {reason(error)}.", REMEDY) from None
        self._scan.look_for_copies()
        return tuple(deleted)

    def restore(self, image_ids: Sequence[str]) -> tuple[str, ...]:
        """Bring deleted pictures back to where they were; return the ids of those that came.

        Where a name was taken meanwhile, a picture gets another one. Raises `OutputUnwritable` when the disk refuses.
        """
        restored: list[str] = []
        for image_id in dict.fromkeys(image_ids):
            try:
                back = self._trash.take_back(image_id)
            except OSError as error:
                raise OutputUnwritable(f"Image {image_id} cannot be restored: {reason(error)}.", REMEDY) from None
            self._scan.look_at(back)
            if back or self._kept_deleted.hand_over(image_id, self._kept, deleted=False):
                restored.append(image_id)
        return tuple(restored)

    def empty_trash(self) -> int:
        """Remove the deleted pictures for good; return how many bytes they took. Raises `OutputUnwritable`."""
        for image in self._kept_deleted.images():
            self._kept_deleted.drop(image.id)
        try:
            return self._remove_for_good(self._trash.ids())
        except OSError as error:
            raise OutputUnwritable(f"The trash cannot be emptied: {reason(error)}.", REMEDY) from None

    def refresh(self) -> bool:
        """Notice what was added, moved, renamed or deleted outside; whether anything was. Cheap if nothing was."""
        return self._scan.refresh()

    def rebuild(self) -> int:
        """Read every PNG below the outputs folder into the index; return how many are Darkroom's."""
        return self._scan.read_again()

    def close(self) -> None:
        self._index.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _in_memory(self, image_id: str) -> tuple[SavedImage, bytes] | None:
        return self._kept.get(image_id) or self._kept_deleted.get(image_id)

    def _png(self, image_id: str) -> bytes:
        if entry := self._in_memory(image_id):
            return entry[1]
        path = self.find(image_id).path
        return path.read_bytes() if path else b""

    def _with_pixels(self, input_id: str | None) -> SavedImage | None:
        if input_id is None:
            return None
        return next(iter(self._current(lambda: self._index.with_pixels(input_id))), None)

    def _only_kept(self) -> list[SavedImage]:
        """The pictures that are in memory and not in the index."""
        kept = (*self._kept.images(), *self._kept_deleted.images())
        return [image for image in kept if self._index.get(image.id) is None]

    def _current(self, select: Callable[[], list[Row]]) -> list[SavedImage]:
        """Pictures of the index as they are on disk now; where one was changed or moved outside, it is looked for."""
        rows = select()
        stale = [row.path for row in rows if files.stamp(row.path) != row.stamp]
        if stale:
            self._scan.look_at(stale)
            self._scan.refresh()
            rows = [row for row in select() if row.path.is_file()]
        return [row.image for row in rows]

    def _delete(self, image_id: str) -> bool:
        """Move one picture to the trash; whether it was there to be moved. Raises `OSError` and `sqlite3.Error`."""
        try:
            image = self.find(image_id)
        except NotFound:
            return False
        if image.deleted:
            return False
        if image.path is None:
            return self._kept.hand_over(image_id, self._kept_deleted, deleted=True)
        try:
            path = self._trash.put(image_id, image.path)
        except FileNotFoundError:  # somebody else was faster
            return False
        try:
            self._index.put([row_of(image.model_copy(update={"path": path, "deleted": True}))])
        except sqlite3.Error:
            self._trash.take_back(image_id)
            raise
        self._kept.drop(image_id)
        return True

    def _remove_old(self) -> None:
        """Remove the pictures that were deleted long ago, as far as the disk lets us."""
        try:
            self._remove_for_good(self._trash.ids(trash.LIFETIME))
        except OSError as error:
            logger.warning("The trash cannot be cleared of old pictures: %s", reason(error))

    def _remove_for_good(self, image_ids: Sequence[str]) -> int:
        try:
            return self._trash.remove(image_ids)
        finally:
            self.refresh()
            gone = {image_id for image_id in image_ids if self._index.get(image_id) is None}
            self._thumbnails.remove(gone)
            with suppress(sqlite3.Error):
                self._index.forget_marks(gone)


def _open_index(outputs: Path, database: Path) -> Index:
    try:
        return Index(outputs, database)
    except (sqlite3.Error, OSError) as error:
        logger.warning("The picture index %s cannot be used (%s); one in memory stands in.", database, error)
        return Index(outputs, None)
