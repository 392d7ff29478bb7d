"""Sizes that hosted models make: pixels within limits, or shapes that a provider has names for."""

from __future__ import annotations

import math

from pydantic import Field, PositiveFloat, PositiveInt

from pipeline.models.size import SizeRule


class HostedSize(SizeRule):
    """Sizes in pixels that a provider makes: any within limits, or shapes that it names by their ratio."""

    ratios: tuple[str, ...] = ()
    """Such as `16:9`; where there are some, the nearest one is asked for instead of pixels."""
    resolutions: dict[str, PositiveInt] = Field({})
    """The provider's names of how large a shape is made → the side in pixels of a square of about as many."""
    min_pixels: PositiveInt = 1
    max_pixels: PositiveInt = 2**30
    max_aspect: PositiveFloat | None = None
    """Longest side ÷ shortest, at most; None for any."""

    def nearest(self, width: int, height: int) -> tuple[str, str]:
        """The ratio and the resolution that come nearest to a size; empty where the provider names none."""
        ratio = min(self.ratios, key=lambda one: abs(math.log(_value(one) * height / width)), default="")
        side = math.sqrt(width * height)
        return ratio, min(self.resolutions, key=lambda one: abs(math.log(self.resolutions[one] / side)), default="")

    def made(self, width: int, height: int) -> tuple[int, int]:
        """About the size that comes for one that is asked for: to the pixel where the provider takes pixels."""
        ratio, resolution = self.nearest(width, height)
        return _shape(ratio, self.resolutions.get(resolution, self.native[0])) if ratio else (width, height)

    def like(self, width: int, height: int) -> tuple[int, int]:
        """A size of nearly the shape of a picture, with about as many pixels as the native one."""
        from pipeline.pictures.fit import native_size  # which brings numpy; most who read records do not need it

        if ratio := self.nearest(width, height)[0]:
            return _shape(ratio, math.isqrt(math.prod(self.native)))
        short = math.ceil(max(width, height) / (self.max_aspect or math.inf))
        width, height = native_size((max(width, short), max(height, short)), self)
        long = self.max_pixels // min(width, height) // self.multiple * self.multiple  # both sides may be rounded up
        return min(width, long), min(height, long)

    @property
    def offered(self) -> tuple[tuple[int, int], ...]:
        """Sizes to choose from: each ratio at each resolution, as far as a request can name it, or the only ones; empty
        where others are possible."""
        sides = self.resolutions.values() or self.native[:1]
        shapes = [_shape(ratio, side) for side in sides for ratio in self.ratios]
        return tuple(shape for shape in shapes if all(map(self.fits, shape))) or self.shapes


def _value(ratio: str) -> float:
    """Width ÷ height."""
    width, _, height = ratio.partition(":")
    return int(width) / int(height)


def _shape(ratio: str, side: int) -> tuple[int, int]:
    """The size of that ratio with about as many pixels as a square of that side, in steps of 16."""
    stretch = math.sqrt(_value(ratio))
    return round(side * stretch / 16) * 16, round(side / stretch / 16) * 16
