"""Edges of a picture as white lines on black: the map that a Canny ControlNet follows.

The demo's own ControlNet was trained on maps of this very function, so what the studio draws is what it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

LOW, HIGH, SIGMA = 0.08, 0.2, 1.0
"""Thresholds and smoothing that draw the outlines of things and leave out what is soft."""
MAX_THRESHOLD = 4.0
"""What no edge exceeds by much: the strength of a step from black to white before it is smoothed."""
MAX_SIGMA = 10.0


def canny(image: Image, low: float = LOW, high: float = HIGH, sigma: float = SIGMA) -> Image:
    """Edges of `image` by Canny's method, as a picture of mode RGB and the same size: 255 on an edge, 0 elsewhere.

    `sigma` is the width in pixels of the Gaussian that smooths first: more leaves out smaller things. The strength of
    an edge is the length of the Sobel gradient of the brightness, which runs from 0 to 1. A line begins where
    the strength reaches `high` and goes on while it is above `low`. The outermost pixels never hold an edge.

    Raises `InvalidRequest` when not 0 ≤ `low` ≤ `high` ≤ 4, or not 0 ≤ `sigma` ≤ 10.
    """
    _check(low, high, sigma)
    import numpy as np
    from PIL import Image as Pillow
    from skimage.feature import canny as find_edges

    brightness = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32) / 255
    edges = find_edges(brightness, sigma=sigma, low_threshold=low, high_threshold=high)
    return Pillow.fromarray(edges.astype(np.uint8) * 255).convert("RGB")


def _check(low: float, high: float, sigma: float) -> None:
    if not 0 <= low <= high <= MAX_THRESHOLD:
        raise InvalidRequest(
            f"Edges cannot be found between the thresholds {low:g} and {high:g}.",
            f"The lower comes first, and both are from 0 to {MAX_THRESHOLD:g}.",
        )
    if not 0 <= sigma <= MAX_SIGMA:
        raise InvalidRequest(
            f"A picture cannot be smoothed by {sigma:g} pixels before its edges are found.",
            f"Choose 0 to {MAX_SIGMA:g}.",
        )
