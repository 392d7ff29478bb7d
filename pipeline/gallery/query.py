"""What to look for among the pictures, and what is found."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from pydantic import BaseModel, ConfigDict, Field

from pipeline.events import SavedImage

MAX_PAGE = 200
"""Pictures that one page may have."""

MAX_ARCHIVE = 500
"""Pictures that one archive may have: their ids travel in the address."""


class ImageQuery(BaseModel):
    """Which pictures are wanted; every field narrows the choice, and none of them is every picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field("", max_length=200, description="Words in prompt, negative prompt or file name; all must occur.")
    model: str | None = Field(None, max_length=200, description="Registry id of the model.")
    since: date | None = Field(None, description="First day, in this machine's time.")
    until: date | None = Field(None, description="Last day, itself included.")
    width: int | None = Field(None, ge=1, le=2**31, description="Width in pixels.")
    height: int | None = Field(None, ge=1, le=2**31, description="Height in pixels.")
    favourite: bool = Field(False, description="Only favourites.")
    min_rating: int = Field(0, ge=0, le=5, description="Stars, at least.")
    deleted: bool = Field(False, description="The deleted pictures that can still be brought back, instead.")


class ImagePage(BaseModel):
    """One page of what was found, newest first."""

    model_config = ConfigDict(frozen=True)

    images: tuple[SavedImage, ...]
    total: int
    """Pictures found in all."""


class Facets(BaseModel):
    """What there is to choose from: every model and size with the number of its pictures, most first."""

    model_config = ConfigDict(frozen=True)

    models: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[int, int, int], ...]
    """Width, height, number."""
    total: int
    deleted: int
    """Deleted pictures that can still be brought back."""


def words(query: ImageQuery) -> list[str]:
    """The words of `query.text` in the form in which `searchable` has them."""
    return _folded(query.text).split()


def searchable(image: SavedImage) -> str:
    """All the text in which a picture is searched."""
    name = image.path.name if image.path else ""
    return _folded("\n".join((image.recipe.prompt, image.recipe.negative_prompt, name)))


def span(query: ImageQuery) -> tuple[float, float]:
    """From when until when the wanted pictures were made: seconds since 1970, the end not included."""
    since = _midnight(query.since) if query.since else float("-inf")
    until = _midnight(query.until, days_later=1) if query.until else float("inf")
    return since, until


def matches(query: ImageQuery, image: SavedImage) -> bool:
    """Whether a picture is one of those wanted, as the index would say of it."""
    since, until = span(query)
    text = searchable(image)
    return (
        all(word in text for word in words(query))
        and query.model in (None, image.recipe.model)
        and query.width in (None, image.recipe.width)
        and query.height in (None, image.recipe.height)
        and since <= image.created_at.timestamp() < until
        and (image.favourite or not query.favourite)
        and image.rating >= query.min_rating
        and image.deleted == query.deleted
    )


def with_more(facets: Facets, images: Sequence[SavedImage]) -> Facets:
    """`facets` with some more pictures counted in."""
    shown = [image.recipe for image in images if not image.deleted]
    deleted = sum(image.deleted for image in images)
    models = Counter(dict(facets.models)) + Counter(recipe.model for recipe in shown)
    sizes = Counter({(width, height): number for width, height, number in facets.sizes})
    sizes += Counter((recipe.width, recipe.height) for recipe in shown)
    return Facets(
        models=tuple(models.most_common()),
        sizes=tuple((*size, number) for size, number in sizes.most_common()),
        total=facets.total + len(shown),
        deleted=facets.deleted + deleted,
    )


def _folded(text: str) -> str:
    """Text without differences of case and of how its characters are encoded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _midnight(day: date, days_later: int = 0) -> float:
    """When a day begins here, or the one so many days later; infinity for days beyond the calendar's ends."""
    try:
        return (datetime.combine(day, time.min) + timedelta(days=days_later)).timestamp()
    except (OverflowError, ValueError, OSError):
        return float("inf") if day.year > 1970 else float("-inf")
