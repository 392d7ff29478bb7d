"""What models are called where one is chosen, and which one a label means. Knows no Streamlit.

The browser gives a choice back by its label, and that of a model changes when its files have come.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.models.registry import ModelRecord

_SEPARATOR = " · "


def label(record: ModelRecord, *hindrances: str) -> str:
    """Its name, and what stands in its way, if anything does."""
    return _SEPARATOR.join((record.name, *filter(None, hindrances)))


def meant(chosen: str, records: Iterable[ModelRecord]) -> ModelRecord | None:
    """The model that an id or a label of now or before means; None for one that is not known any more."""
    known = {name: record for record in records for name in (record.name, record.id)}
    return known.get(chosen) or known.get(chosen.partition(_SEPARATOR)[0])
