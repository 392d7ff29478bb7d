"""What is drawn anew, and what stays bit by bit."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from pipeline.inputs import Margins
from pipeline.pictures.fit import Size
from pipeline.pictures.patches import (
    OVERLAP,
    SEAM,
    Box,
    Patch,
    black_and_white,
    canvas_of,
    feathered,
    margins_drawn,
    masked_part,
    pasted,
    tiles,
    whole,
)
from tests.pictures.samples import noisy

MARGINS = (
    Margins(left=25),
    Margins(top=25),
    Margins(right=75),
    Margins(bottom=129),
    Margins(left=7, right=1),
    Margins(left=15, top=150, right=33, bottom=10),
)
SOURCES: tuple[Size, ...] = ((64, 64), (50, 75), (150, 24), (16, 16))
WINDOWS: tuple[Size, ...] = ((64, 64), (32, 80), (256, 256))


def mask_of(size: Size, *boxes: Box) -> Image.Image:
    """White in those boxes."""
    mask = Image.new("L", size)
    for box in boxes:
        mask.paste(255, box)
    return mask


def values(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def placed(patch: Patch, size: Size) -> np.ndarray:
    """The patch's alpha as rows × columns of the whole picture."""
    everywhere = Image.new("L", size)
    everywhere.paste(patch.alpha, patch.window)
    return values(everywhere)


def check_inside(patch: Patch, size: Size) -> None:
    left, top, right, bottom = patch.window
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert patch.mask.size == patch.alpha.size == patch.size == (right - left, bottom - top)
    assert patch.mask.mode == patch.alpha.mode == "L"


def check_laid_only_where_drawn(patch: Patch) -> None:
    drawn = values(patch.mask)
    assert set(np.unique(drawn)) <= {0, 255}
    assert not values(patch.alpha)[drawn == 0].any()


# -- pasting and feathering -------------------------------------------------------------------------------------


def test_pasting_changes_no_bit_where_alpha_is_0_and_all_where_it_is_255() -> None:
    picture, drawn = noisy(64, 48), noisy(80, 80).crop((40, 40, 64, 64))
    alpha = Image.fromarray(np.random.default_rng(1).choice([0, 77, 255], (24, 24)).astype(np.uint8))
    patch = Patch((30, 10, 54, 34), black_and_white(alpha), alpha)

    result = values(pasted(picture, patch, drawn))

    laid = placed(patch, picture.size)
    assert (result[laid == 0] == values(picture)[laid == 0]).all()
    assert (result[10:34, 30:54][values(alpha) == 255] == values(drawn)[values(alpha) == 255]).all()


def test_pasting_leaves_the_picture_that_it_was_given() -> None:
    picture = noisy()
    before = picture.tobytes()
    pasted(picture, whole(mask_of(picture.size, (0, 0, 20, 20)), 0), Image.new("RGB", picture.size))
    assert picture.tobytes() == before


def test_a_mask_has_two_values_and_the_brighter_half_is_drawn() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    assert black_and_white(ramp).tobytes() == bytes(128) + b"\xff" * 128


@pytest.mark.parametrize("pixels", [1, 4, 9])
def test_a_feather_rises_inwards_and_never_leaves_the_mask(pixels: int) -> None:
    mask = mask_of((60, 40), (10, 10, 50, 30))
    soft = values(feathered(mask, pixels))
    assert not soft[values(mask) == 0].any()
    assert (soft[values(mask) == 255] > 0).all()
    row = soft[20, 10:30]
    assert list(row[:pixels]) == [int(np.ceil(255 * (place + 1) / pixels)) for place in range(pixels)]
    assert (row[pixels - 1 :] == 255).all()


def test_no_feather_leaves_the_mask_as_it_is() -> None:
    mask = mask_of((60, 40), (10, 10, 50, 30))
    assert feathered(mask, 0).tobytes() == mask.tobytes()


def test_the_edge_of_the_picture_is_no_edge_of_the_mask() -> None:
    soft = values(feathered(mask_of((60, 40), (0, 0, 30, 40)), 8))
    assert (soft[:, :23] == 255).all()
    assert (soft[:, 29] == 32).all()


def test_a_mask_without_black_has_nothing_to_feather() -> None:
    full = Image.new("L", (32, 32), 255)
    assert feathered(full, 8).tobytes() == full.tobytes()


def test_an_empty_mask_stays_empty() -> None:
    assert feathered(Image.new("L", (32, 32)), 8).getbbox() is None


# -- the whole picture, and the masked part ---------------------------------------------------------------------


@pytest.mark.parametrize("feather", [0, 5])
def test_the_whole_picture_is_one_window(feather: int) -> None:
    mask = mask_of((60, 40), (10, 10, 50, 30))
    patch = whole(mask, feather)
    assert patch.window == (0, 0, 60, 40)
    assert patch.mask.tobytes() == mask.tobytes()
    check_laid_only_where_drawn(patch)


PARTS: tuple[Box, ...] = ((0, 0, 1, 1), (399, 299, 400, 300), (180, 140, 220, 160), (0, 100, 400, 110), (5, 0, 90, 300))


@pytest.mark.parametrize(("part", "shape"), tuple(product(PARTS, [(256, 256), (512, 256), (256, 768)])))
def test_a_part_lies_in_its_window_with_context_and_the_window_in_the_picture(part: Box, shape: Size) -> None:
    size = 400, 300
    patch = masked_part(mask_of(size, part), 3, shape)
    check_inside(patch, size)
    check_laid_only_where_drawn(patch)
    left, top, right, bottom = patch.window
    assert (values(patch.mask) == 255).sum() == (part[2] - part[0]) * (part[3] - part[1])
    assert patch.mask.tobytes() == mask_of(size, part).crop(patch.window).tobytes()
    longer = max(part[2] - part[0], part[3] - part[1])
    assert right - left >= min(size[0], part[2] - part[0] + longer // 2)
    assert bottom - top >= min(size[1], part[3] - part[1] + longer // 2)


@pytest.mark.parametrize("shape", [(256, 256), (512, 256), (256, 768)])
def test_a_window_has_the_shape_that_is_asked_for_where_there_is_room(shape: Size) -> None:
    patch = masked_part(mask_of((1000, 1000), (480, 470, 540, 510)), 0, shape)
    assert patch.size[0] / patch.size[1] == pytest.approx(shape[0] / shape[1], rel=0.02)


def test_a_window_holds_all_parts_of_a_mask() -> None:
    patch = masked_part(mask_of((400, 300), (10, 10, 20, 20), (300, 200, 320, 220)), 0, (256, 256))
    assert patch.window[0] <= 10
    assert patch.window[2] >= 320
    assert (values(patch.mask) == 255).sum() == 100 + 400


def test_a_part_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="black"):
        masked_part(Image.new("L", (64, 64), 127), 0, (64, 64))


# -- margins ----------------------------------------------------------------------------------------------------


def test_a_canvas_holds_the_picture_unchanged() -> None:
    picture = noisy(40, 30)
    canvas = canvas_of(picture, Margins(left=1, top=2, right=3, bottom=4))
    assert canvas.size == (44, 36)
    assert canvas.crop((1, 2, 41, 32)).tobytes() == picture.tobytes()


EVERY_WAY = tuple(product(SOURCES, MARGINS, WINDOWS))


def canvas_size(size: Size, margins: Margins) -> Size:
    return size[0] + margins.left + margins.right, size[1] + margins.top + margins.bottom


def known_at_first(size: Size, margins: Margins) -> np.ndarray:
    """Where the picture lies in its canvas, rows × columns."""
    known = np.zeros(canvas_size(size, margins)[::-1], bool)
    known[margins.top : margins.top + size[1], margins.left : margins.left + size[0]] = True
    return known


@pytest.mark.parametrize(("size", "margins", "window"), EVERY_WAY)
def test_every_new_pixel_is_drawn_by_one_patch_in_an_order_that_always_has_something_to_continue(
    size: Size, margins: Margins, window: Size
) -> None:
    canvas, known = canvas_size(size, margins), known_at_first(size, margins)
    for patch in margins_drawn(size, margins, window):
        check_inside(patch, canvas)
        check_laid_only_where_drawn(patch)
        laid = placed(patch, canvas)
        new = (laid > 0) & ~known
        assert (laid[new] == 255).all()
        assert new.any()
        assert (binary_dilation(new) & known).any()
        known |= new
    assert known.all()


@pytest.mark.parametrize(("size", "margins", "window"), EVERY_WAY)
def test_a_window_has_the_models_size_and_is_at_most_half_new_unless_all_fits_into_one(
    size: Size, margins: Margins, window: Size
) -> None:
    canvas, known = canvas_size(size, margins), known_at_first(size, margins)
    patches = list(margins_drawn(size, margins, window))
    if canvas[0] <= window[0] and canvas[1] <= window[1]:
        assert [patch.window for patch in patches] == [(0, 0, *canvas)]
        return
    for patch in patches:
        assert patch.size == (min(window[0], canvas[0]), min(window[1], canvas[1]))
        new = (placed(patch, canvas) > 0) & ~known
        assert new.sum() * 2 <= patch.size[0] * patch.size[1]
        known |= new


@pytest.mark.parametrize(("size", "margins", "window"), EVERY_WAY)
def test_the_picture_changes_only_in_a_narrow_band_along_what_is_new(
    size: Size, margins: Margins, window: Size
) -> None:
    canvas, inside = canvas_size(size, margins), known_at_first(size, margins)
    rows, columns = np.indices(inside.shape)
    far = np.full(inside.shape, max(canvas))
    for given, distance in (
        (margins.left, columns - margins.left),
        (margins.right, margins.left + size[0] - 1 - columns),
        (margins.top, rows - margins.top),
        (margins.bottom, margins.top + size[1] - 1 - rows),
    ):
        far = np.minimum(far, distance) if given else far
    for patch in margins_drawn(size, margins, window):
        band = max(1, min(patch.size) // SEAM)
        assert not placed(patch, canvas)[inside & (far >= band)].any()


def test_the_seam_falls_towards_the_picture() -> None:
    [patch] = margins_drawn((192, 256), Margins(left=64), (256, 256))
    row = values(patch.alpha)[100]
    assert (row[:64] == 255).all()
    assert (np.diff(row[63:81]) < 0).all()
    assert not row[80:].any()


def drawn_over(picture: Image.Image, patches: Iterable[Patch]) -> Image.Image:
    """`picture` with every patch drawn in white."""
    for patch in patches:
        picture = pasted(picture, patch, Image.new(picture.mode, patch.size, "white"))
    return picture


@pytest.mark.parametrize("margins", MARGINS)
def test_in_the_end_all_margins_are_drawn_and_the_middle_is_the_pictures_own(margins: Margins) -> None:
    picture = noisy(64, 50)
    canvas = canvas_of(picture, margins)
    result = drawn_over(canvas, margins_drawn(picture.size, margins, (64, 64)))
    known = known_at_first(picture.size, margins)
    assert (values(result)[~known] == 255).all()
    middle = (margins.left + 4, margins.top + 4, margins.left + 60, margins.top + 46)
    assert result.crop(middle).tobytes() == canvas.crop(middle).tobytes()


# -- tiles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "window"), tuple(product([(256, 256), (257, 300), (1000, 333), (513, 2048)], [(256, 256), (320, 192)]))
)
def test_tiles_cover_the_picture_and_each_pixel_first_fully(size: Size, window: Size) -> None:
    covered = np.zeros(size[::-1], bool)
    for patch in tiles(size, window):
        check_inside(patch, size)
        check_laid_only_where_drawn(patch)
        assert patch.size == (min(window[0], size[0]), min(window[1], size[1]))
        laid = placed(patch, size)
        inside = np.zeros_like(covered)
        inside[patch.window[1] : patch.window[3], patch.window[0] : patch.window[2]] = True
        assert (laid[inside & ~covered] == 255).all()
        assert (laid[inside] > 0).all()
        covered |= inside
    assert covered.all()


def test_a_picture_of_the_windows_size_is_one_tile() -> None:
    [tile] = tiles((256, 256), (256, 256))
    assert tile.window == (0, 0, 256, 256)
    assert tile.alpha.getextrema() == (255, 255)


def test_tiles_lie_evenly_and_over_each_other_by_a_part_at_least() -> None:
    starts = sorted({patch.window[0] for patch in tiles((1000, 256), (256, 256))})
    steps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] == 1000 - 256
    assert steps.max() <= 256 - 256 // OVERLAP
    assert steps.max() - steps.min() <= 1
