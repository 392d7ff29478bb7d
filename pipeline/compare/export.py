"""A comparison as something to keep: one labelled sheet, or a folder with every picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from pipeline.compare import sheet
from pipeline.compare.measure import Measurement, Sample, measure
from pipeline.compare.state import CellState, ComparisonState
from pipeline.errors import InvalidRequest, NotFound
from pipeline.gallery import Gallery
from pipeline.gallery.archive import Entry, stream
from pipeline.jobs.state import Status

_WORDS: dict[Status, str] = {
    "queued": "waiting",
    "loading": "being made",
    "running": "being made",
    "finished": "deleted",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""What stands where there is no picture."""


def draw_sheet(state: ComparisonState, gallery: Gallery) -> bytes:
    """The contact sheet as a PNG that carries the comparison; where there is no picture stands why."""
    pictures = {(cell.column, cell.row): png for cell, png in _pictures(state, gallery)}
    places = {(cell.column, cell.row): _WORDS[cell.job.status] for cell in state.cells}
    return sheet.draw(state.comparison, pictures, {place: places[place] for place in places.keys() - pictures.keys()})


def archive(state: ComparisonState, gallery: Gallery) -> Iterator[bytes]:
    """A ZIP of a folder with the sheet, the comparison as JSON, and the pictures, piece by piece."""
    return stream(_entries(state, gallery))


def folder_name(state: ComparisonState) -> str:
    """The name of the folder and of the sheet, such as `comparison_20251121_190412`, in local time."""
    return f"comparison_{state.created_at.astimezone():%Y%m%d_%H%M%S}"


def measurements(state: ComparisonState, gallery: Gallery, reference: int) -> tuple[Measurement, ...]:
    """What each picture that is there took, and how far it is from that of the cell `reference`, counted row by row.

    Raises `InvalidRequest` when that cell has no picture.
    """
    samples = [(cell, Sample(cell.job.images[0], png)) for cell, png in _pictures(state, gallery)]
    chosen = [place for place, (cell, _) in enumerate(samples) if _number(state, cell) == reference]
    if not chosen:
        raise InvalidRequest(
            "The picture to compare with is not there.", "Choose another one, or wait for it.", field="reference"
        )
    return measure([sample for _, sample in samples], chosen[0])


def _entries(state: ComparisonState, gallery: Gallery) -> Iterator[Entry]:
    folder, made = folder_name(state), state.created_at
    yield Entry(f"{folder}/sheet.png", made, draw_sheet(state, gallery))
    yield Entry(f"{folder}/comparison.json", made, state.comparison.model_dump_json(indent=2).encode())
    for cell, png in _pictures(state, gallery):
        yield Entry(f"{folder}/{_file_name(state, cell)}.png", cell.job.images[0].created_at, png)


def _pictures(state: ComparisonState, gallery: Gallery) -> Iterator[tuple[CellState, bytes]]:
    """Each picture that can be read, one at a time."""
    for cell in state.cells:
        with suppress(NotFound, IndexError):
            yield cell, gallery.png(cell.job.images[0].id)


def _number(state: ComparisonState, cell: CellState) -> int:
    return cell.row * state.comparison.shape[0] + cell.column


def _file_name(state: ComparisonState, cell: CellState) -> str:
    """Its place, so that names differ and sort like the sheet, and its headings: `02-01_guidance-4.5_steps-28`."""
    comparison = state.comparison
    rows = [(comparison.rows, cell.row)] if comparison.rows else []
    headings = [f"{axis.name} {axis.label(place)}" for axis, place in (*rows, (comparison.columns, cell.column))]
    words = [re.sub(r"[^a-z0-9.]+", "-", heading.lower()).strip("-.")[:60] for heading in headings]
    return "_".join((f"{cell.row + 1:02}-{cell.column + 1:02}", *words))
