import hashlib

import pytest

from pipeline.compare.measure import Sample, measure
from pipeline.errors import InvalidRequest
from pipeline.events import Picture, SavedImage
from pipeline.gallery.metadata import Origin, encode_png
from pipeline.recipe import ComponentUse
from tests.gallery.pictures import make_recipe

GIB = 2**30


def sample(number: int, shade: int = 100, size: tuple[int, int] = (32, 24), **changes: object) -> Sample:
    """A picture of one grey, with a darker corner."""
    width, height = size
    rgb = bytes(3 * 8) + bytes([shade]) * ((width * height - 8) * 3)
    recipe = make_recipe(rgb, width=width, height=height, **changes)
    origin = Origin(id=hashlib.sha256(bytes([number])).hexdigest()[:16], job_id="job", index=0)
    image = SavedImage(id=origin.id, job_id="job", index=0, path=None, recipe=recipe, created_at=recipe.created_at)
    return Sample(image, encode_png(Picture(index=0, rgb=rgb, recipe=recipe), origin))


def held(before: int, after: int, quantization: str = "nf4") -> ComponentUse:
    return ComponentUse(
        parameters=1, dtype="bfloat16", quantization=quantization, bytes_before=before, bytes_after=after
    )


def test_every_picture_has_a_row_and_one_is_the_reference():
    rows = measure([sample(1), sample(2, 101), sample(3, 110)], reference=1)
    assert [row.reference for row in rows] == [False, True, False]
    assert [row.identical for row in rows] == [False, True, False]


def test_the_nearer_picture_has_the_better_numbers():
    reference, near, far = measure([sample(1, 100), sample(2, 101), sample(3, 140)])
    assert (reference.psnr, reference.ssim, reference.largest, reference.changed) == (None, 1.0, 0, 0.0)
    assert near.psnr > far.psnr
    assert near.ssim > far.ssim
    assert (near.largest, far.largest) == (1, 40)


def test_memory_is_the_sum_of_the_components_with_and_without_quantisation():
    components = {"transformer": held(4 * GIB, GIB), "vae": held(GIB // 4, GIB // 4, "none")}
    row = measure([sample(1, quantization="nf4", components=components)])[0]
    assert (row.bytes_unquantized, row.bytes_held) == (GIB * 17 // 4, GIB * 5 // 4)
    assert row.quantization == "nf4"


def test_what_a_recipe_does_not_say_is_none_and_not_zero():
    row = measure([sample(1)])[0]
    assert (row.bytes_held, row.bytes_unquantized, row.load_seconds) == (None, None, None)


def test_times_are_those_of_the_recipe_by_its_steps():
    row = measure([sample(1, seconds=14.0, num_inference_steps=28, load_seconds=3.5)])[0]
    assert row.seconds_per_step == pytest.approx(0.5)
    assert row.load_seconds == 3.5


def test_a_picture_of_another_size_keeps_its_row_and_says_why_it_has_no_numbers():
    other = measure([sample(1), sample(2, size=(24, 32))])[1]
    assert (other.psnr, other.ssim, other.largest, other.changed, other.identical) == (None, None, None, None, False)
    assert "32 × 24 and 24 × 32" in other.note


@pytest.mark.parametrize("reference", [-1, 2])
def test_a_reference_that_is_not_there_is_refused(reference: int):
    with pytest.raises(InvalidRequest, match="no such picture") as refusal:
        measure([sample(1), sample(2)], reference)
    assert refusal.value.info.field == "reference"


def test_of_no_pictures_nothing_can_be_the_reference():
    with pytest.raises(InvalidRequest):
        measure([])
