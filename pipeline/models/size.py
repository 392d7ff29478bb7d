"""Sizes that a model can make."""

from __future__ import annotations

from pydantic import PositiveInt

from pipeline.models.facts import Facts


class SizeRule(Facts):
    """Sizes in pixels: what the model was trained at, and what it can take."""

    native: tuple[PositiveInt, PositiveInt]
    multiple: PositiveInt
    min: PositiveInt
    max: PositiveInt
    shapes: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    """The only sizes (width, height) that the model makes; empty when any within the limits will do."""

    def fits(self, side: int) -> bool:
        """Whether a side of that many pixels is possible."""
        return self.min <= side <= self.max and side % self.multiple == 0
