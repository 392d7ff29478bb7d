"""Where somebody is in the gallery: what the address says, and what lies beside a picture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.gallery.query import ImageQuery
from tests.gallery.pictures import make_picture
from ui.parts.gallery import neighbours, place
from ui.parts.gallery.place import PAGE, Place, pictures

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    gallery = Gallery(tmp_path, tmp_path / "studio.db")
    yield gallery
    gallery.close()


def keep(gallery: Gallery, number: int, **changes: object) -> SavedImage:
    """A picture that is so many minutes younger than the first."""
    made = NOON + timedelta(minutes=number)
    return gallery.save(make_picture(seed=number, **({"created_at": made} | changes)), f"job-{number}")


@pytest.mark.parametrize(
    "there",
    [
        Place(),
        Place(ImageQuery(text="fox & fog", model="org/a b", favourite=True, min_rating=3, deleted=True), 7),
        Place(ImageQuery(since=date(2025, 5, 1), until=date(2025, 6, 1), width=512, height=768)),
        Place(image="0123456789abcdef", compared=("a1", "b2")),
    ],
)
def test_an_address_leads_to_the_place_from_which_it_was_made(there: Place) -> None:
    assert place.read(there.params()) == there


def test_the_beginning_has_an_empty_address() -> None:
    assert Place().params() == {}


def test_what_makes_no_sense_in_an_address_is_passed_over_and_the_rest_kept() -> None:
    found = place.read({"q": "fox", "rating": "99", "since": "soon", "size": "big", "page": "-3", "other": "x"})
    assert found == Place(ImageQuery(text="fox"))


def test_numbers_of_pictures_are_written_as_people_do() -> None:
    assert [pictures(count) for count in (0, 1, 5000)] == ["0 pictures", "1 picture", "5,000 pictures"]


def test_the_last_picture_of_a_page_leads_to_the_first_of_the_next(gallery: Gallery) -> None:
    newest_first = [keep(gallery, number) for number in range(PAGE + 1)][::-1]
    last = newest_first[PAGE - 1]
    ways = neighbours.find(gallery, Place(image=last.id), last)
    assert (ways.position, ways.total) == (PAGE, PAGE + 1)
    assert ways.newer == Place(image=newest_first[PAGE - 2].id)
    assert ways.older == Place(page=2, image=newest_first[PAGE].id)
    assert neighbours.find(gallery, ways.older, newest_first[PAGE]).older is None


def test_neighbours_are_found_however_far_back_the_day_of_a_picture_is(gallery: Gallery) -> None:
    old = keep(gallery, 0, created_at=NOON - timedelta(days=30))
    young = [keep(gallery, number) for number in range(250)]
    ways = neighbours.find(gallery, Place(image=old.id), old)
    assert ways.position == 251
    assert ways.newer is not None
    assert ways.newer.image == young[0].id


def test_a_picture_outside_of_the_search_has_no_neighbours(gallery: Gallery) -> None:
    image = keep(gallery, 0)
    assert neighbours.find(gallery, Place(ImageQuery(text="fox"), image=image.id), image) == neighbours.Neighbours()
