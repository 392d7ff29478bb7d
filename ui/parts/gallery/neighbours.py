"""What lies before and after a picture among those that were searched for. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.gallery.query import MAX_PAGE, ImageQuery
from ui.parts.gallery.place import PAGE, Place


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The way on from an open picture."""

    position: int = 0
    """1 is the newest; 0 where the picture is not among what is searched for."""
    total: int = 0
    newer: Place | None = None
    older: Place | None = None


def find(gallery: Gallery, here: Place, image: SavedImage) -> Neighbours:
    """Look where the address says, and if it does not say, among the pictures of that day."""
    for offset in (max(0, here.offset - 1), None):
        start = _first_of_day(gallery, here.query, image) if offset is None else offset
        page = gallery.search(here.query, MAX_PAGE, start)
        ids = [one.id for one in page.images]
        if image.id in ids:
            place = ids.index(image.id)
            newer = _at(here, start + place - 1, ids[place - 1]) if place else None
            older = _at(here, start + place + 1, ids[place + 1]) if place + 1 < len(ids) else None
            return Neighbours(start + place + 1, page.total, newer, older)
    return Neighbours()


def _first_of_day(gallery: Gallery, query: ImageQuery, image: SavedImage) -> int:
    """How many pictures are newer than that day; one less, so that the first of the day has its neighbour too."""
    day = image.created_at.astimezone().date()
    until = min(query.until or day, day)
    newer = gallery.search(query, 1).total - gallery.search(query.model_copy(update={"until": until}), 1).total
    return max(0, newer - 1)


def _at(here: Place, place: int, image_id: str) -> Place:
    """That picture, on the page on which it lies."""
    return replace(here, page=place // PAGE + 1, image=image_id)
