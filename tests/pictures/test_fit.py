"""How a picture comes to the size that a model works at."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from PIL import Image

from pipeline.inputs import Fit
from pipeline.models.size import SizeRule
from pipeline.pictures.fit import Size, continued, fitted, nearest_size
from tests.pictures.samples import shaded

FREE = SizeRule(native=(1024, 1024), multiple=16, min=256, max=1440)
ONE = SizeRule(native=(256, 256), multiple=64, min=256, max=256)
SHAPES = SizeRule(
    native=(1024, 1024), multiple=32, min=512, max=2048, shapes=((1024, 1024), (768, 1344), (1344, 768), (512, 512))
)
SIZES = tuple(product((16, 200, 513, 1024, 4000, 16_384), repeat=2))


def ratio(size: Size) -> float:
    return size[0] / size[1]


# -- fitted -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["crop", "pad", "resize"])
def test_a_picture_of_the_size_is_not_touched(fit: Fit) -> None:
    picture = shaded()
    assert fitted(picture, picture.size, fit) is picture


@pytest.mark.parametrize("fit", ["crop", "pad", "resize"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(64, 64), (16, 300), (301, 17), (96, 64)])
def test_the_result_has_the_size_and_the_mode(fit: Fit, mode: str, size: Size) -> None:
    result = fitted(shaded().convert(mode), size, fit)
    assert (result.size, result.mode) == (size, mode)


@pytest.mark.parametrize(("long", "fit"), tuple(product([(16_384, 16), (16, 16_384)], ["crop", "pad", "resize"])))
def test_a_picture_however_long_and_thin_comes_to_any_size(long: Size, fit: Fit) -> None:
    assert fitted(Image.new("RGB", long, "teal"), (256, 256), fit).getextrema() == ((0, 0), (128, 128), (128, 128))


def thirds() -> Image.Image:
    """Red, green and blue side by side."""
    picture = Image.new("RGB", (90, 30), "lime")
    picture.paste("red", (0, 0, 30, 30))
    picture.paste("blue", (60, 0, 90, 30))
    return picture


def test_cropping_keeps_the_middle() -> None:
    assert fitted(thirds(), (30, 30), "crop").getpixel((15, 15)) == (0, 255, 0)
    red, _, blue = fitted(thirds(), (26, 30), "crop").getextrema()
    assert (red[1], blue[1]) < (60, 60)


def test_padding_keeps_everything_in_its_middle_and_continues_the_edges() -> None:
    result = np.asarray(fitted(thirds(), (90, 91), "pad"))
    assert (result[30:60] == np.asarray(thirds())).all()
    assert (result[:30] == result[30]).all()
    assert (result[60:] == result[59]).all()


def test_stretching_keeps_every_part() -> None:
    result = fitted(thirds(), (30, 90), "resize")
    assert [result.getpixel((x, 45)) for x in (3, 15, 26)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_a_continued_picture_repeats_its_edges_and_keeps_its_pixels() -> None:
    picture = shaded(20, 16)
    result = continued(picture, 3, 0, 5, 2)
    assert result.size == (28, 18)
    assert result.crop((3, 0, 23, 16)).tobytes() == picture.tobytes()
    for x, y in product(range(28), range(18)):
        assert result.getpixel((x, y)) == picture.getpixel((min(max(x - 3, 0), 19), min(y, 15)))


# -- nearest_size -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rule", [FREE, ONE, SHAPES], ids=["free", "one", "shapes"])
def test_every_size_that_is_chosen_can_be_made(rule: SizeRule, size: Size) -> None:
    chosen = nearest_size(size, rule)
    assert all(map(rule.fits, chosen))
    assert chosen in rule.shapes or not rule.shapes
    assert math.prod(chosen) <= 1.5 * math.prod(rule.native)


@pytest.mark.parametrize("size", [(1024, 1024), (256, 256), (1024, 512), (1440, 1072)])
def test_a_size_that_the_model_makes_is_kept(size: Size) -> None:
    assert nearest_size(size, FREE) == size


@pytest.mark.parametrize("size", [(1023, 767), (4000, 3000), (3000, 4000), (1920, 1080), (640, 361), (1440, 1440)])
def test_else_the_shape_is_kept_and_the_area_is_the_one_of_the_training(size: Size) -> None:
    chosen = nearest_size(size, FREE)
    assert ratio(chosen) == pytest.approx(ratio(size), rel=0.03)
    assert math.prod(chosen) == pytest.approx(1024**2, rel=0.03)


def test_a_picture_longer_than_the_model_makes_gets_the_longest_that_it_does() -> None:
    assert nearest_size((16_384, 16), FREE) == (1440, 256)
    assert nearest_size((16, 16_384), FREE) == (256, 1440)


def test_a_model_of_one_size_works_at_that() -> None:
    assert {nearest_size(size, ONE) for size in SIZES} == {(256, 256)}


@pytest.mark.parametrize(
    ("size", "chosen"),
    [((3000, 3000), (1024, 1024)), ((400, 400), (512, 512)), ((1920, 1080), (1344, 768)), ((9, 16), (768, 1344))],
)
def test_of_fixed_shapes_the_most_alike_is_chosen_and_of_those_the_nearest_in_area(size: Size, chosen: Size) -> None:
    assert nearest_size(size, SHAPES) == chosen


def test_a_side_is_always_a_multiple_between_limits_that_are_none() -> None:
    odd = SizeRule(native=(512, 512), multiple=64, min=300, max=1000)
    for size in SIZES:
        assert all(map(odd.fits, nearest_size(size, odd)))
