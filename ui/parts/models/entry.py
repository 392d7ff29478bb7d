"""A model as the page shows it: its record, its files and its plan, looked at once a draw. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import DarkroomError
from pipeline.models.files.stored import Inventory
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest
from pipeline.studio import Studio

ALL, HERE, FITS, HOSTED = "All", "Here", "Fits this machine", "Hosted"
CHOICES = (ALL, HERE, FITS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model at one moment."""

    record: ModelRecord
    files: Inventory
    plan: Plan | None
    """How it would run with its own defaults; None where that cannot be said."""
    is_default: bool


def look(studio: Studio) -> list[Entry]:
    """Every model: the default first, then those that are here, then the others, each in the registry's order."""
    default = studio.default.record.id
    entries = [_entry(studio, record, record.id == default) for record in studio.models.records]
    return sorted(entries, key=lambda entry: (not entry.is_default, not entry.files.here))


def wanted(entries: Sequence[Entry], choice: str | None, words: str) -> list[Entry]:
    """Those that a choice of `CHOICES` shows, and in whose name, id, family, summary or licence all words occur."""
    parts = words.lower().split()
    return [entry for entry in entries if _is_chosen(entry, choice) and all(part in _told(entry) for part in parts)]


def _entry(studio: Studio, record: ModelRecord, is_default: bool) -> Entry:
    try:
        plan = studio.plan(GenerationRequest(prompt="a plan", model=record.id))
    except DarkroomError:  # what the device cannot do is told when it is asked for
        plan = None
    return Entry(record, studio.models.inventory(record.id), plan, is_default)


def _is_chosen(entry: Entry, choice: str | None) -> bool:
    if choice == HERE:
        return entry.files.here
    return choice != FITS or (entry.plan is not None and entry.plan.fits)


def _told(entry: Entry) -> str:
    record = entry.record
    return " ".join((record.name, record.id, record.family, record.summary, record.licence.name)).lower()
