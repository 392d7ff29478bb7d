"""How far two pictures of one size are apart, in numbers and as a picture."""

from __future__ import annotations

import io
from math import log10
from typing import Any

from PIL import Image, ImageChops
from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest

_WINDOW = 7
"""Side of the squares that SSIM compares, scikit-image's own choice; odd, and smaller in a picture that is."""
_STRIP = 128
"""Rows that are compared at once: the whole of a picture of 1024 × 1024 would take 200 MB."""


class Difference(BaseModel):
    """Two pictures compared pixel by pixel, over all three colours."""

    model_config = ConfigDict(frozen=True)

    identical: bool
    psnr: float | None
    """Peak signal-to-noise ratio in decibels; None for identical pictures, where it is infinite."""
    ssim: float
    """Structural similarity, the mean over the picture and its colours; 1 for identical pictures."""
    largest: int
    """Largest difference of any value, 0 to 255."""
    changed: float
    """Share of the pixels that differ at all, 0 to 1."""


def measure(first: bytes, second: bytes) -> Difference:
    """Compare two pictures. Raises `InvalidRequest` when their sizes differ, or one cannot be read."""
    one, other = _pair(first, second)
    apart = ImageChops.difference(one, other)
    largest = max(place % 256 for place, count in enumerate(apart.histogram()) if count)
    if not largest:
        return Difference(identical=True, psnr=None, ssim=1.0, largest=0, changed=0.0)
    return Difference(
        identical=False, psnr=_psnr(apart), ssim=_ssim(one, other), largest=largest, changed=_changed(apart)
    )


def map_png(first: bytes, second: bytes, gain: float = 8.0) -> bytes:
    """The difference of every value times `gain` as a PNG: black where the pictures agree. Raises as `measure`."""
    seen = ImageChops.difference(*_pair(first, second)).point(
        [min(255, int(value % 256 * gain)) for value in range(768)]
    )
    buffer = io.BytesIO()
    seen.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _psnr(apart: Image.Image) -> float:
    """As scikit-image has it, whose own brings all of scipy.stats with it: 40 MB and a second of imports."""
    squares = sum(count * (value % 256) ** 2 for value, count in enumerate(apart.histogram()))
    return 10 * log10(255**2 * 3 * apart.width * apart.height / squares)


def _changed(apart: Image.Image) -> float:
    red, green, blue = apart.split()
    same = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()[0]
    return 1 - same / (apart.width * apart.height)


def _ssim(first: Image.Image, second: Image.Image) -> float:
    import numpy as np
    from skimage.metrics import structural_similarity

    one, other = np.asarray(first), np.asarray(second)
    side = min(_WINDOW, first.width, first.height)
    window = side if side % 2 else side - 1
    edge, height = window // 2, first.height  # the mean leaves out a rim where the squares would stick out
    total = 0.0
    for top in range(edge, height - edge, _STRIP):
        bottom = min(top + _STRIP, height - edge)
        rows = slice(top - edge, bottom + edge)
        options: dict[str, Any] = {"win_size": window, "use_sample_covariance": window > 1}
        part = structural_similarity(one[rows], other[rows], channel_axis=2, data_range=255, **options)
        total += float(part) * (bottom - top)
    return total / (height - 2 * edge)


def _pair(first: bytes, second: bytes) -> tuple[Image.Image, Image.Image]:
    one, other = _picture(first), _picture(second)
    if one.size != other.size:
        sizes = " and ".join(f"{width} × {height}" for width, height in (one.size, other.size))
        raise InvalidRequest(
            f"Pictures of different sizes cannot be compared pixel by pixel: {sizes}.", "Choose two of one size."
        )
    return one, other


def _picture(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InvalidRequest("One of the pictures cannot be read.", "It may be damaged.") from None
