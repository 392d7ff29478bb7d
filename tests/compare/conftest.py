"""Comparisons to try."""

from __future__ import annotations

from typing import Any

from pipeline.compare.comparisons import ComparisonState
from pipeline.compare.grid import Comparison, parse_comparison
from pipeline.studio import Studio


def compared(columns: dict[str, list[Any]], rows: dict[str, list[Any]] | None = None, **base: Any) -> Comparison:
    """A comparison of cheap pictures: `compared({"guidance_scale": [1, 2]})`."""
    axes = [{"field": field, "values": values} for axis in (columns, rows) if axis for field, values in axis.items()]
    fields = {"prompt": "a cat in fog", "num_inference_steps": 1} | base
    return parse_comparison({"base": fields, "columns": axes[0], "rows": axes[1] if rows else None})


def finished(studio: Studio, state: ComparisonState) -> ComparisonState:
    """The comparison once every picture of it is made; raises the error of one that failed."""
    for cell in state.cells:
        studio.job(cell.job.id).result(timeout=300)
    return studio.comparisons.find(state.id)


def fingerprints(state: ComparisonState) -> list[str]:
    """The SHA-256 of each picture's pixels, row by row."""
    return [cell.job.images[0].recipe.sha256 for cell in state.cells]
