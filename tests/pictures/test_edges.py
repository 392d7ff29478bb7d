"""Canny edges: where they are, what thresholds and smoothing do, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.errors import InvalidRequest
from pipeline.pictures.edges import canny


def squares() -> Image.Image:
    """A white square at the left and a faint one at the right, on black."""
    image = Image.new("RGB", (128, 64))
    pen = ImageDraw.Draw(image)
    pen.rectangle((16, 16, 47, 47), fill="white")
    pen.rectangle((80, 16, 111, 47), fill=(12, 12, 12))
    return image


def lines(edges: Image.Image) -> np.ndarray:
    return np.asarray(edges)[..., 0] > 0


def test_a_map_is_white_lines_on_black_of_the_same_size_in_rgb() -> None:
    edges = canny(squares())
    assert (edges.mode, edges.size) == ("RGB", (128, 64))
    assert set(np.unique(np.asarray(edges))) == {0, 255}


def test_lines_lie_where_the_brightness_changes_and_nowhere_else() -> None:
    found = lines(canny(squares()))
    rows, columns = np.nonzero(found[:, :64])
    near = [min(abs(row - 15.5), abs(row - 47.5), abs(column - 15.5), abs(column - 47.5)) for row, column in
            zip(rows, columns, strict=True)]  # fmt: skip
    assert len(rows) > 100
    assert max(near) <= 1.5


def test_a_lower_threshold_finds_fainter_edges_too() -> None:
    usual, sensitive = lines(canny(squares())), lines(canny(squares(), low=0.01, high=0.03))
    assert not usual[:, 64:].any()
    assert sensitive[:, 64:].any()


def test_more_smoothing_leaves_out_small_things() -> None:
    dots = Image.new("RGB", (64, 64))
    for place in range(8, 64, 12):
        ImageDraw.Draw(dots).point((place, place), fill="white")
    assert lines(canny(dots, sigma=0.5)).any()
    assert not lines(canny(dots, sigma=3)).any()


def test_a_plain_picture_has_no_edges_at_its_border() -> None:
    assert not lines(canny(Image.new("RGB", (32, 32), "white"))).any()


def test_grey_and_transparent_pictures_are_read_as_colour() -> None:
    assert canny(squares().convert("L")).tobytes() == canny(squares()).tobytes()
    assert canny(squares().convert("RGBA")).tobytes() == canny(squares()).tobytes()


@pytest.mark.parametrize(
    "settings", [{"low": 0.3, "high": 0.2}, {"low": -0.1}, {"high": 9.0}, {"sigma": -1.0}, {"sigma": 50.0}]
)
def test_settings_that_mean_nothing_are_refused_with_what_is_possible(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        canny(squares(), **settings)
    assert caught.value.info.remedy
