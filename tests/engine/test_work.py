"""What a request has the pipelines do: which pictures, at what sizes, in how many calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.engine.work import Work, work_of
from pipeline.errors import NotFound
from pipeline.models.extent import most_pixels
from pipeline.models.registry import ModelRecord, Registry
from pipeline.pictures.store import InputStore
from pipeline.request import parse_request

SHIPPED = Registry.read()
DEMO, SD15, FLUX = "demo", "stable-diffusion-v1-5/stable-diffusion-v1-5", "black-forest-labs/FLUX.1-dev"

Worker = Callable[..., Work]


@pytest.fixture
def inputs(tmp_path: Path) -> InputStore:
    return InputStore(tmp_path)


@pytest.fixture
def work(inputs: InputStore) -> Worker:
    """The work of a request, whose `image` and `mask` are pictures."""

    def of(model: str, **fields: Any) -> Work:
        brought = {name: inputs.put(fields[name]) for name in ("image", "mask") if name in fields}
        request, record = parse_request(prompt="x", **fields | brought), SHIPPED.find(model)
        found = work_of(request, record, inputs)
        assert max(call.size[0] * call.size[1] for call in found.calls + found.refining) <= most_pixels(request, record)
        assert all(_makes(record, call.size) for call in found.calls + found.refining)
        return found

    return of


def _makes(record: ModelRecord, size: tuple[int, int]) -> bool:
    return size in record.size.shapes if record.size.shapes else all(map(record.size.fits, size))


def picture(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "teal")


def mask(width: int, height: int, *white: int) -> Image.Image:
    """Black but for the box `white`: left, top, right, bottom."""
    found = Image.new("L", (width, height))
    found.paste(255, (white[0], white[1], white[2], white[3]))
    return found


def test_words_alone_are_one_call_at_the_size_asked_for(work: Worker) -> None:
    [plain], [asked], [half] = (
        work(SD15, **size).calls for size in ({}, {"width": 640, "height": 384}, {"width": 640})
    )
    assert (plain.task, plain.size, plain.strength, plain.patch) == ("text", (512, 512), 1.0, None)
    assert asked.size == (640, 384)
    assert half.size == (640, 512)


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        (SD15, (640, 448), (640, 448)),  # it makes that
        (SD15, (641, 447), (616, 424)),  # not quite: the same shape at the pixels that it was trained at
        (SD15, (4000, 3000), (592, 440)),
        (SD15, (100, 50), (728, 360)),
        (SD15, (5000, 500), (1024, 256)),  # no further than its limits
        (DEMO, (640, 448), (256, 256)),  # its only one
        (FLUX, (1200, 800), (1200, 800)),
    ],
)
def test_a_picture_is_worked_on_at_the_nearest_size_that_the_model_makes(
    work: Worker, model: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    done = work(model, image=picture(*size))
    [call] = done.calls
    assert (call.task, call.size, call.strength, call.patch) == ("image", expected, 0.6, None)
    assert done.picture is not None
    assert done.picture.size == expected


def test_a_mask_of_the_whole_is_fitted_as_its_picture_is(work: Worker) -> None:
    done = work(SD15, image=picture(1024, 512), mask=mask(1024, 512, 512, 0, 1024, 512), width=512, height=512)
    [call] = done.calls
    assert (call.task, call.strength) == ("inpaint", 1.0)
    assert call.patch is not None
    assert call.patch.mask.getbbox() == (256, 0, 512, 512)
    assert done.picture is not None
    assert done.picture.size == (512, 512)


def test_a_masked_part_is_drawn_with_all_the_pixels_that_the_model_has(work: Worker) -> None:
    done = work(SD15, image=picture(3000, 2000), mask=mask(3000, 2000, 1000, 900, 1100, 1000), mask_area="masked")
    [call] = done.calls
    assert done.picture is not None
    assert done.picture.size == (3000, 2000)
    assert call.size == (512, 512)
    assert call.patch is not None
    left, top, right, bottom = call.patch.window
    assert left < 1000 < 1100 < right
    assert top < 900 < 1000 < bottom
    assert right - left == bottom - top < 300


@pytest.mark.parametrize("white", [(10, 10, 290, 190), (0, 50, 40, 90), (120, 0, 180, 200)])
@pytest.mark.parametrize("asked", [{}, {"width": 768, "height": 384}])
def test_a_masked_part_asked_for_at_the_size_that_its_recipe_names_is_the_same_one(
    work: Worker, white: tuple[int, ...], asked: dict[str, int]
) -> None:
    brought = {"image": picture(300, 200), "mask": mask(300, 200, *white), "mask_area": "masked"}
    [first] = work(SD15, **brought, **asked).calls
    [again] = work(SD15, **brought, width=first.size[0], height=first.size[1]).calls
    assert first.patch is not None
    assert again.patch is not None
    assert (again.size, again.patch.window) == (first.size, first.patch.window)
    if asked:
        assert first.size == (768, 384)


def test_a_small_continuation_is_one_call_on_the_canvas(work: Worker) -> None:
    done = work(SD15, image=picture(512, 512), outpaint={"right": 128})
    [call] = done.calls
    assert (call.task, call.size, call.strength) == ("inpaint", (640, 512), 1.0)
    assert done.picture is not None
    assert done.picture.size == (640, 512)


def test_a_large_continuation_is_drawn_window_by_window_until_nothing_is_missing(work: Worker) -> None:
    done = work(DEMO, image=picture(256, 256), outpaint={"left": 300, "bottom": 33})
    assert {call.size for call in done.calls} == {(256, 256)}
    drawn = Image.new("L", (556, 289))
    drawn.paste(255, (300, 0, 556, 256))
    for call in done.calls:
        assert call.patch is not None
        drawn.paste(255, call.patch.window, call.patch.alpha.point(lambda value: 255 if value == 255 else 0))
    assert drawn.getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("model", "factor", "sizes"),
    [
        (SD15, 2, {(1024, 1024)}),  # as large as it goes
        (SD15, 3, {(512, 512)}),  # larger: window by window
        (FLUX, 2, {(2048, 2048)}),
        (FLUX, 3, {(1024, 1024)}),
    ],
)
def test_an_enlarged_picture_is_drawn_over_as_a_whole_or_in_windows(
    work: Worker, model: str, factor: int, sizes: set[tuple[int, int]]
) -> None:
    done = work(model, upscale={"factor": factor, "strength": 0.3})
    assert {call.size for call in done.refining} == sizes
    assert {(call.task, call.strength) for call in done.refining} == {("image", 0.3)}
    native = SHIPPED.find(model).size.native[0]
    covered = Image.new("L", (native * factor, native * factor))
    for call in done.refining:
        covered.paste(255, call.patch.window if call.patch else (0, 0, *covered.size))
    assert covered.getextrema() == (255, 255)


def test_without_a_strength_an_enlargement_is_no_call(work: Worker) -> None:
    done = work(DEMO, upscale={"factor": 4})
    assert len(done.calls) == 1
    assert done.refining == ()
    assert done.drawn == (256, 256)


def test_a_picture_that_is_gone_is_told(inputs: InputStore) -> None:
    request = parse_request(prompt="x", image="0" * 64 + "-10x10")
    with pytest.raises(NotFound, match="not kept any more"):
        work_of(request, SHIPPED.find(DEMO), inputs)
