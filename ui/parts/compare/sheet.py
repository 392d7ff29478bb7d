"""The labelled sheet on the page: every picture at its place as soon as it is there, and any of them large."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from pipeline.compare.comparisons import CellState, ComparisonState
from pipeline.compare.grid import Axis
from pipeline.models import schedulers
from pipeline.studio import Studio
from ui import either, hosted
from ui.parts import text
from ui.parts.compare import form, values
from ui.parts.told import told

HERE = Path(__file__).parent
_SIDE = 512
"""Of the thumbnails, in pixels: the largest that there are."""
_WAITS = {"queued": "Waits", "loading": "The model is loading", "running": "Begins", "cancelled": "Cancelled"}

_sheet = st.components.v2.component(
    "darkroom_comparison",
    html=(HERE / "sheet.html").read_text(encoding="utf-8"),
    css=(HERE / "sheet.css").read_text(encoding="utf-8"),
    js=(HERE / "sheet.js").read_text(encoding="utf-8"),
)


def show(studio: Studio, here: ComparisonState, reuse: Callable[[str], None]) -> None:
    """Draw it. `reuse` is called with the id of a picture whose settings are wanted."""
    comparison, key = here.comparison, f"sheet-{here.id}"
    columns, rows = comparison.columns, comparison.rows
    data = {  # tuples, since for a list Streamlit would load pandas, to see whether it is a table
        "caption": f"{comparison.base.prompt}: {axes(here)}",
        "corner": f"{columns.name} →\n{rows.name} ↓" if rows else "",
        "columns": tuple(labels(studio, columns) if rows else _alone(studio, columns)),
        "rows": tuple(labels(studio, rows)) if rows else ("",),
        "cells": tuple(_cell(studio, here, cell) for cell in here.cells),
    }

    def reused() -> None:
        if image_id := told(key, "reused"):
            reuse(image_id)

    _sheet(key=key, data=data, on_reused_change=reused)


def axes(here: ComparisonState) -> str:
    """What is compared, in a few words, such as `Steps × Guidance`."""
    rows = here.comparison.rows
    return here.comparison.columns.name + (f" × {rows.name}" if rows else "")


def labels(studio: Studio, axis: Axis) -> list[str]:
    """The headings of an axis as people call its values."""
    if axis.field == "model":
        known = hosted.names(studio)
        return [known.get(str(value)) or either.name_of(studio, str(value)) for value in axis.values]
    if axis.field == "quantization":
        return [form.PRECISIONS.get(str(value), str(value)) for value in axis.values]
    if axis.field == "scheduler":
        return [schedulers.label(str(value)) for value in axis.values]
    return [axis.label(place) for place in range(len(axis.values))]


def _alone(studio: Studio, columns: Axis) -> list[str]:
    """The headings where no corner says what the numbers mean."""
    before = f"{columns.name} " if columns.field in values.NUMBERS else ""
    return [before + label for label in labels(studio, columns)]


def name_of(studio: Studio, here: ComparisonState, cell: CellState) -> str:
    """What tells a picture from the others, such as `Steps 28, Guidance 3.5`."""
    comparison = here.comparison
    parts = [f"{comparison.columns.name} {labels(studio, comparison.columns)[cell.column]}"]
    if comparison.rows:
        parts.append(f"{comparison.rows.name} {labels(studio, comparison.rows)[cell.row]}")
    return ", ".join(parts)


def _cell(studio: Studio, here: ComparisonState, cell: CellState) -> dict[str, Any]:
    """One place as the component draws it: a picture, a reason, or how far it is."""
    job, name = cell.job, name_of(studio, here, cell)
    if job.images:
        image = job.images[0]
        return {
            "name": name,
            "id": image.id,
            "small": text.thumbnail_url(image.id, _SIDE),
            "large": text.file_url(image.id),
            "download": text.file_url(image.id, download=True),
            "alt": f"{image.recipe.prompt}, {name}",
            "facts": " · ".join(text.facts(image.recipe)),
            "width": image.recipe.width,
            "height": image.recipe.height,
        }
    if job.status == "failed" and job.error:
        return {"name": name, "words": job.error.sentence, "failed": True}
    part = job.progress.step / job.progress.steps if job.progress.steps else 0
    words = f"Step {job.progress.step} of {job.progress.steps}" if part else _WAITS.get(job.status, "No picture")
    if job.progress.provider:
        words = text.elsewhere(job.progress)
    return {"name": name, "words": words, "part": part, "busy": job.status in {"loading", "running"}}
