"""The words on a contact sheet: what is asked for, what is the same for all, and the headings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.compare.grid import Axis, Comparison
from pipeline.compare.lettering import UNBROKEN
from pipeline.compare.values import AxisField, label
from pipeline.gallery.metadata import read_recipe
from pipeline.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Captions:
    """Every text of a sheet but those in its boxes."""

    prompt: str
    negative_prompt: str
    details: str
    """What all pictures share, on one line."""
    columns_name: str
    columns: tuple[str, ...]
    rows_name: str = ""
    rows: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        single = (self.prompt, self.negative_prompt, self.details, self.columns_name, self.rows_name)
        return (*single, *self.columns, *self.rows)


def captions(comparison: Comparison, pictures: Sequence[bytes]) -> Captions:
    """The words for a comparison. `pictures` are those that are there; their recipes say what was really used."""
    base, rows = comparison.base, comparison.rows
    recipes = [recipe for recipe in map(read_recipe, pictures) if recipe]
    return Captions(
        prompt=base.prompt,
        negative_prompt=f"Without: {base.negative_prompt}" if base.negative_prompt else "",
        details=" · ".join(piece.replace(" ", UNBROKEN) for piece in _shared(comparison, recipes)),
        columns_name=comparison.columns.name,
        columns=_labels(comparison.columns),
        rows_name=rows.name if rows else "",
        rows=_labels(rows) if rows else (),
    )


def _labels(axis: Axis) -> tuple[str, ...]:
    return tuple(axis.label(place) for place in range(len(axis.values)))


def _shared(comparison: Comparison, recipes: Sequence[Recipe]) -> list[str]:
    """What is the same for every picture and is not gone through, then their size and the day."""
    told: dict[AxisField, Callable[[Any], str]] = {
        "model": lambda value: label("model", value),
        "num_inference_steps": lambda value: f"{value} steps",
        "guidance_scale": lambda value: f"guidance {value:g}",
        "seed": lambda value: f"seed {value}",
    }
    found = []
    for name, write in told.items():
        value = _common([_used(recipe, name) for recipe in recipes] or [getattr(comparison.base, name)])
        if value not in (None, -1) and not comparison.goes_through(name):
            found.append(write(value))
    size = _common([(recipe.width, recipe.height) for recipe in recipes])
    return [*found, *([f"{size[0]} × {size[1]} pixels"] if size else []), *_hosts(recipes), *_day(recipes)]


def _used(recipe: Recipe, name: AxisField) -> Any:
    """The value of a setting; None where a provider made the picture, which tells none of these."""
    known = recipe.hosted is None or name == "model" or (name == "seed" and recipe.hosted.seeded)
    return getattr(recipe, name) if known else None


def _hosts(recipes: Sequence[Recipe]) -> list[str]:
    """Which models were asked elsewhere, and where."""
    made = {f"{label('model', one.model)} hosted by {one.hosted.provider}": None for one in recipes if one.hosted}
    return list(made)


def _common(values: Sequence[Any]) -> Any:
    """The value that all of them are; None when they differ or there are none."""
    return values[0] if values and all(value == values[0] for value in values) else None


def _day(recipes: Sequence[Recipe]) -> list[str]:
    """The day of the last picture, in this machine's time."""
    last: datetime | None = max((recipe.created_at for recipe in recipes), default=None)
    return [f"{last.astimezone():%d %B %Y}".lstrip("0")] if last else []
