"""What is drawn anew in a picture, and where: one or more patches, each a window in which a model draws behind a mask.

Repainting the whole picture, repainting a part at full resolution and drawing on beyond the edges differ only in their
patches. What a patch draws is laid over the picture by `pasted`, which leaves every pixel where `alpha` is 0 as it was,
bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from pipeline.inputs import Margins
from pipeline.pictures.fit import Size, continued

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the latter two outside."""
CONTEXT = 0.5
"""How much of the masked part's longer side is shown around it, so that what is drawn there goes with the rest."""
SEAM = 16
"""The part of a window, one in so many, over which a continued picture goes over into what is drawn."""

OVERLAP = 4
"""The part of a tile, one in so many, by which it lies over the one before at least."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One window of a picture."""

    window: Box
    mask: Image.Image
    """What the model draws anew: white, in mode L, of the window's size."""
    alpha: Image.Image
    """How much of it is laid over the picture, of the same kind; 0 wherever the mask is black."""

    @property
    def size(self) -> Size:
        left, top, right, bottom = self.window
        return right - left, bottom - top


def pasted(picture: Image.Image, patch: Patch, drawn: Image.Image) -> Image.Image:
    """`picture` with `drawn`, which has the window's size, laid over it."""
    result = picture.copy()
    result.paste(Image.composite(drawn, picture.crop(patch.window), patch.alpha), patch.window)
    return result


def black_and_white(mask: Image.Image) -> Image.Image:
    """A mask of two values: what is brighter than the middle is drawn anew."""
    return mask.point(lambda value: 255 if value > 127 else 0)


def feathered(mask: Image.Image, pixels: int) -> Image.Image:
    """A black and white mask whose white rises over that many pixels from its edge inwards, and stays black outside."""
    if pixels == 0:
        return mask
    # The picture's own edge is no edge of the mask.
    edged = continued(mask, pixels, pixels, pixels, pixels)
    rising = np.minimum(distance_transform_edt(np.asarray(edged)) / pixels, 1)[pixels:-pixels, pixels:-pixels]
    return Image.fromarray(np.ceil(255 * rising).astype(np.uint8))


def whole(mask: Image.Image, feather: int) -> Patch:
    """The picture as one window."""
    plain = black_and_white(mask)
    return Patch((0, 0, *mask.size), plain, feathered(plain, feather))


def masked_part(mask: Image.Image, feather: int, shape: Size) -> Patch:
    """The masked part with its surroundings, in a window of about the shape of `shape`.

    Raises `ValueError` for a mask without white.
    """
    plain = black_and_white(mask)
    found = plain.getbbox()
    if found is None:
        raise ValueError("The mask is black.")
    window = _around(found, mask.size, shape)
    return Patch(window, plain.crop(window), feathered(plain, feather).crop(window))


def _around(part: Box, size: Size, shape: Size) -> Box:
    """`part` with context, widened to the ratio of `shape` as far as the picture goes."""
    width, height = part[2] - part[0], part[3] - part[1]
    context = CONTEXT * max(width, height)
    across, down = width + context, height + context
    across, down = max(across, down * shape[0] / shape[1]), max(down, across * shape[1] / shape[0])
    left, right = _centred((part[0] + part[2]) / 2, round(across), size[0])
    top, bottom = _centred((part[1] + part[3]) / 2, round(down), size[1])
    return left, top, right, bottom


def _centred(middle: float, length: int, most: int) -> tuple[int, int]:
    """A stretch of `length` around `middle` that lies between 0 and `most`."""
    length = min(length, most)
    start = min(max(round(middle - length / 2), 0), most - length)
    return start, start + length


def canvas_of(image: Image.Image, margins: Margins) -> Image.Image:
    """`image` with its margins, which repeat its edges until they are drawn."""
    return continued(image, margins.left, margins.top, margins.right, margins.bottom)


def margins_drawn(size: Size, margins: Margins, window: Size) -> Iterator[Patch]:
    """The patches that draw the margins around a picture of `size`, outwards from it.

    When the canvas fits into `window`, the size of the largest patch, it is one patch. Else there are several, each at
    most half of it new, so that every one sees what it continues.
    """
    canvas = size[0] + margins.left + margins.right, size[1] + margins.top + margins.bottom
    done: Box = (margins.left, margins.top, margins.left + size[0], margins.top + size[1])
    known = np.zeros((canvas[1], canvas[0]), dtype=bool)
    known[done[1] : done[3], done[0] : done[2]] = True
    if canvas[0] <= window[0] and canvas[1] <= window[1]:
        everything = (0, 0, *canvas)
        yield _seamed(everything, everything, known)
        return
    for side in range(4):
        while (grown := _grown(done, side, canvas, window)) != done:
            for view in _views(grown, side, canvas, window):
                wanted = _overlap(view, grown)
                yield _seamed(view, wanted, known)
                known[wanted[1] : wanted[3], wanted[0] : wanted[2]] = True
            done = grown


def _grown(done: Box, side: int, canvas: Size, window: Size) -> Box:
    """`done` with as much more at one side as a window takes, at most half of it."""
    depth = min(window[side % 2], canvas[side % 2]) // 2
    box = list(done)
    box[side] = max(0, done[side] - depth) if side < 2 else min(canvas[side % 2], done[side] + depth)
    return box[0], box[1], box[2], box[3]


def _views(grown: Box, side: int, canvas: Size, window: Size) -> Iterator[Box]:
    """Windows along the new strip, each half over the one before, that reach back into what is there."""
    axis, along = side % 2, 1 - side % 2
    lengths = min(window[0], canvas[0]), min(window[1], canvas[1])
    start = grown[axis] if side < 2 else max(0, grown[axis + 2] - lengths[axis])
    start = min(start, canvas[axis] - lengths[axis])
    at = max(0, min(grown[along], canvas[along] - lengths[along]))
    while True:
        begins = (start, at) if axis == 0 else (at, start)
        yield (*begins, begins[0] + lengths[0], begins[1] + lengths[1])
        if at + lengths[along] >= grown[along + 2]:
            return
        at = min(at + max(1, lengths[along] // 2), canvas[along] - lengths[along])


def _seamed(view: Box, wanted: Box, known: np.ndarray) -> Patch:
    """The patch that draws what of `wanted` is not `known` yet (rows × columns of the canvas), and goes over a little
    into what is."""
    rows, columns = slice(view[1], view[3]), slice(view[0], view[2])
    missing = np.zeros_like(known)
    missing[wanted[1] : wanted[3], wanted[0] : wanted[2]] = True
    missing = (missing & ~known)[rows, columns]
    band = max(1, min(missing.shape) // SEAM)
    alpha = np.clip(1 - distance_transform_edt(~missing) / (band + 1), 0, 1)
    alpha[~missing & ~known[rows, columns]] = 0  # not there yet, and not this patch's to draw
    laid = Image.fromarray(np.ceil(255 * alpha).astype(np.uint8))
    return Patch(view, laid.point(lambda value: 255 if value else 0), laid)


def tiles(size: Size, window: Size) -> Iterator[Patch]:
    """Windows that cover a picture of `size`, row by row, each laid softly over the ones before."""
    across, down = min(window[0], size[0]), min(window[1], size[1])
    for top in _starts(size[1], down):
        for left in _starts(size[0], across):
            ramp = np.minimum(
                _rising(down, down // OVERLAP if top else 0)[:, None],
                _rising(across, across // OVERLAP if left else 0)[None, :],
            )
            everything = Image.new("L", (across, down), 255)
            yield Patch((left, top, left + across, top + down), everything, Image.fromarray(ramp))


def _starts(length: int, window: int) -> list[int]:
    """Where windows begin that cover `length` evenly and overlap by at least a part in `OVERLAP`."""
    count = 1 + max(0, -(-(length - window) // (window - window // OVERLAP)))
    return [round(place * (length - window) / max(1, count - 1)) for place in range(count)]


def _rising(length: int, over: int) -> np.ndarray:
    """255 everywhere, but at first rising to it over `over` pixels."""
    values: np.ndarray = np.ceil(255 * np.minimum((np.arange(length) + 1) / (over + 1), 1))
    return values.astype(np.uint8)


def _overlap(first: Box, second: Box) -> Box:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )
