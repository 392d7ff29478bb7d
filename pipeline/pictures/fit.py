"""How a picture comes to the size that a model works at."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps

from pipeline.inputs import Fit

Size = tuple[int, int]
"""Width and height in pixels."""
MAX_GROWTH = 8
"""How many times as large a picture is made to cover a size: a strip of few pixels would become one of millions."""
AMPLE = 1.5
"""Up to this many times the pixels that a model was trained at, it draws a picture at once, at its own size."""


class Rule(Protocol):
    """What sizes a model makes, as its record says."""

    @property
    def native(self) -> Size: ...
    @property
    def multiple(self) -> int: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...
    @property
    def shapes(self) -> tuple[Size, ...]: ...
    def fits(self, side: int) -> bool: ...


def fitted(image: Image.Image, size: Size, fit: Fit) -> Image.Image:
    """`image` at `size`: its middle cut out, its edges continued, or stretched; untouched if it has that size."""
    if image.size == size:
        return image
    if fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    if fit == "resize":
        return image.resize(size, Image.Resampling.LANCZOS)
    factor = min(size[0] / image.width, size[1] / image.height)
    sides = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    inner = image.resize(sides, Image.Resampling.LANCZOS)
    left, top = (size[0] - inner.width) // 2, (size[1] - inner.height) // 2
    return continued(inner, left, top, size[0] - inner.width - left, size[1] - inner.height - top)


def covering(image: Image.Image, size: Size) -> Image.Image:
    """All of `image`, as large as it must be to cover `size`; it grows by `MAX_GROWTH` at most."""
    factor = min(MAX_GROWTH, max(size[0] / image.width, size[1] / image.height))
    sides = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(sides, Image.Resampling.LANCZOS)


def continued(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """`image` with that many pixels more at its sides, which repeat its edges."""
    rest = ((0, 0),) * (len(image.getbands()) > 1)
    return Image.fromarray(np.pad(np.asarray(image), ((top, bottom), (left, right), *rest), mode="edge"))


def nearest_size(size: Size, rule: Rule) -> Size:
    """The size at which a model works on a picture of `size`: its own if the model makes that, else one of nearly the
    same shape with the number of pixels that the model was trained at."""
    if all(map(rule.fits, size)) and math.prod(size) <= AMPLE * math.prod(rule.native) and not rule.shapes:
        return size
    return native_size(size, rule)


def native_size(size: Size, rule: Rule) -> Size:
    """A size of nearly the shape of `size` that the model makes, with the number of pixels that it was trained at; of
    several shapes that are given, the one nearest in size."""
    if rule.shapes:
        return min(rule.shapes, key=lambda shape: (_apart(shape, size), abs(math.prod(shape) - math.prod(size))))
    area, ratio = math.prod(rule.native), math.sqrt(size[0] / size[1])
    return _side(math.sqrt(area) * ratio, rule), _side(math.sqrt(area) / ratio, rule)


def _side(wanted: float, rule: Rule) -> int:
    """The side nearest to `wanted` that the model makes."""
    least, most = math.ceil(rule.min / rule.multiple), rule.max // rule.multiple
    return min(max(round(wanted / rule.multiple), least), most) * rule.multiple


def _apart(shape: Size, size: Size) -> float:
    """How different two shapes are, whatever their size; 0 for the same."""
    return round(abs(math.log(shape[0] * size[1] / (shape[1] * size[0]))), 3)
