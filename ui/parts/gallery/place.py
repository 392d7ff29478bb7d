"""Where somebody is in the gallery, as it stands in the address. Knows no Streamlit.

The address is the truth: a bookmark, a reload and the browser's Back lead to the same pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.gallery.query import ImageQuery

PAGE = 60
"""Pictures on a page."""
MAX_COMPARED = 8
"""Pictures that can stand side by side."""
EVERYTHING = ImageQuery()

_FIELDS = {
    "q": "text",
    "model": "model",
    "since": "since",
    "until": "until",
    "favourite": "favourite",
    "rating": "min_rating",
    "deleted": "deleted",
}
"""Names in the address, and the fields of `ImageQuery` that they stand for. `size` stands for two."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is searched for, and what of it is shown."""

    query: ImageQuery = EVERYTHING
    page: int = 1
    image: str = ""
    """The picture that is open."""
    compared: tuple[str, ...] = ()
    """The pictures that stand side by side."""

    @property
    def narrowed(self) -> bool:
        """Whether anything but the choice between kept and deleted pictures narrows the search."""
        return self.query != ImageQuery(deleted=self.query.deleted)

    @property
    def offset(self) -> int:
        """How many pictures come before the page."""
        return (self.page - 1) * PAGE

    def params(self) -> dict[str, str]:
        """The address of this place: only what differs from the beginning."""
        query = self.query
        values = {name: getattr(query, field) for name, field in _FIELDS.items()}
        told = {name: str(value) for name, value in values.items() if value != getattr(EVERYTHING, _FIELDS[name])}
        told |= {name: "1" for name in ("favourite", "deleted") if values[name]}
        told |= {"size": f"{query.width}x{query.height}"} if query.width and query.height else {}
        told |= {"page": str(self.page)} if self.page > 1 else {}
        told |= {"image": self.image} if self.image else {}
        return told | ({"compare": "-".join(self.compared)} if self.compared else {})


def read(params: Mapping[str, str]) -> Place:
    """The place of an address; what makes no sense in it is passed over."""
    fields = {field: params[name] for name, field in _FIELDS.items() if name in params}
    if size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", params.get("size", "")):
        fields |= {"width": size[1], "height": size[2]}
    page = params.get("page", "")
    return Place(
        query=_valid(fields),
        page=max(1, int(page)) if re.fullmatch(r"\d{1,6}", page, re.ASCII) else 1,
        image=params.get("image", ""),
        compared=tuple(dict.fromkeys(one for one in params.get("compare", "").split("-") if one))[:MAX_COMPARED],
    )


def filters(query: ImageQuery) -> int:
    """How many filters are set besides the words."""
    sizes = query.width is not None
    return sum(map(bool, (query.model, query.since, query.until, sizes, query.favourite, query.min_rating)))


def pictures(count: int) -> str:
    """“1 picture”, “5,000 pictures”."""
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"


def _valid(fields: Mapping[str, str]) -> ImageQuery:
    good = {field: value for field, value in fields.items() if not _refused({field: value})}
    return ImageQuery.model_validate(good)


def _refused(fields: Mapping[str, str]) -> Iterable[object]:
    try:
        ImageQuery.model_validate(fields)
    except ValidationError as error:
        return error.errors()
    return ()
