"""What models are called where one is chosen, and which one a label means. Knows no Streamlit.

The browser gives a choice back by its label, and that of a model changes when its files have come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pipeline.models.registry import Model

M = TypeVar("M", bound=Model)
_SEPARATOR = " · "


def label(record: Model, *hindrances: str) -> str:
    """Its name, and what stands in its way, if anything does."""
    return _SEPARATOR.join((record.name, *filter(None, hindrances)))


def meant(chosen: str, records: Iterable[M]) -> M | None:
    """The model that an id or a label of now or before means, the first one of several with one name; None for one that
    is not known any more."""
    known = dict[str, M]()
    for record in records:
        known[record.id] = record
        known.setdefault(record.name, record)
    return known.get(chosen) or known.get(chosen.partition(_SEPARATOR)[0])
