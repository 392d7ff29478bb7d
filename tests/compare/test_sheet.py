import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.compare import sheet
from pipeline.compare.arrangement import MAX_PIXELS, MAX_SIDE
from pipeline.compare.captions import captions
from pipeline.compare.grid import Comparison
from pipeline.errors import InvalidRequest
from pipeline.events import Picture
from pipeline.gallery.metadata import encode_png
from tests.gallery.pictures import ORIGIN, make_recipe

PAPER = (0xFA, 0xF6, 0xEF)
RED, GREEN, BLUE = (200, 20, 20), (20, 160, 20), (20, 20, 200)


def comparison(**changes: Any) -> Comparison:
    fields = {
        "base": {"prompt": "a lighthouse at dusk", "negative_prompt": "fog", "seed": 42},
        "columns": {"field": "num_inference_steps", "values": [4, 28]},
    }
    return Comparison.model_validate(fields | changes)


def picture(colour: tuple[int, int, int], width: int = 256, height: int = 256, **changes: Any) -> bytes:
    rgb = bytes(colour) * (width * height)
    recipe = make_recipe(rgb, width=width, height=height, **changes)
    return encode_png(Picture(index=0, rgb=rgb, recipe=recipe), ORIGIN)


def opened(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image


def boxes(png: bytes, *colours: tuple[int, int, int]) -> list[tuple[int, int, int, int] | None]:
    """Where each colour is on the sheet."""
    pixels = np.asarray(opened(png))
    return [Image.fromarray((pixels == colour).all(axis=2)).getbbox() for colour in colours]


def size(box: tuple[int, int, int, int] | None) -> tuple[int, int]:
    assert box is not None
    return box[2] - box[0], box[3] - box[1]


def test_a_sheet_is_a_png_with_the_pictures_side_by_side_as_they_are():
    drawn = sheet.draw(comparison(), {(0, 0): picture(RED), (1, 0): picture(BLUE)}, {})
    red, blue = boxes(drawn, RED, BLUE)
    assert size(red) == size(blue) == (256, 256)
    assert red[1] == blue[1]
    assert red[2] < blue[0]
    assert opened(drawn).getpixel((0, 0)) == PAPER


def test_rows_stand_below_each_other():
    two = comparison(rows={"field": "guidance_scale", "values": [1.0, 7.5]})
    pictures = {(0, 0): picture(RED), (0, 1): picture(GREEN), (1, 1): picture(BLUE)}
    red, green, blue = boxes(sheet.draw(two, pictures, {}), RED, GREEN, BLUE)
    assert (red[0], green[1]) == (green[0], blue[1])
    assert red[3] < green[1]
    assert green[2] < blue[0]


def test_a_sheet_gives_back_its_comparison():
    whole = comparison(rows={"field": "prompt", "values": ["dusk", "night 夜", "dawn"]})
    assert sheet.read_comparison(sheet.draw(whole, {}, {})) == whole


@pytest.mark.parametrize(
    "columns",
    [
        {"field": "model", "values": ["a/one", "b/two"]},
        {"field": "quantization", "values": ["none", "nf4", "int8"]},
        {"field": "seed", "values": list(range(64))},
        {"field": "guidance_scale", "values": [0.0, 1.5]},
        {"field": "scheduler", "values": ["EulerDiscreteScheduler"]},
    ],
)
def test_every_comparison_survives_sheet_and_json(columns: dict[str, Any]):
    whole = comparison(columns=columns)
    assert sheet.read_comparison(sheet.draw(whole, {}, {})) == whole
    assert sheet.read_comparison(whole.model_dump_json(indent=2).encode()) == whole


def test_drawing_again_gives_the_same_bytes():
    pictures = {(0, 0): picture(RED)}
    assert sheet.draw(comparison(), pictures, {}) == sheet.draw(comparison(), pictures, {})


def test_pictures_of_other_shapes_are_fitted_into_equal_boxes_with_their_proportions():
    pictures = {(0, 0): picture(RED, 320, 160), (1, 0): picture(BLUE, 160, 320)}
    red, blue = boxes(sheet.draw(comparison(), pictures, {}), RED, BLUE)
    assert size(red) == (320, 160)
    assert size(blue) == (160, 320)
    assert (red[1] + red[3]) == (blue[1] + blue[3])


def test_a_smaller_picture_is_enlarged_to_its_box():
    pictures = {(0, 0): picture(RED, 400, 400), (1, 0): picture(BLUE, 200, 200)}
    red, blue = boxes(sheet.draw(comparison(), pictures, {}), RED, BLUE)
    assert size(red) == size(blue) == (400, 400)


def test_very_small_pictures_are_enlarged_so_that_headings_have_room():
    drawn = sheet.draw(comparison(), {(0, 0): picture(RED, 64, 32)}, {})
    assert size(boxes(drawn, RED)[0]) == (256, 128)


def test_a_missing_picture_leaves_a_frame_and_the_note_is_written_there():
    told = opened(sheet.draw(comparison(), {(0, 0): picture(RED)}, {(1, 0): "failed"}))
    other = opened(sheet.draw(comparison(), {(0, 0): picture(RED)}, {(1, 0): "waiting"}))
    assert told.size == other.size
    assert told.tobytes() != other.tobytes()
    assert told.crop((0, 0, told.width // 2, told.height)) == other.crop((0, 0, other.width // 2, other.height))


def test_a_picture_that_cannot_be_read_leaves_a_frame():
    drawn = sheet.draw(comparison(), {(0, 0): picture(RED), (1, 0): b"damaged"}, {})
    assert size(boxes(drawn, RED)[0]) == (256, 256)


@pytest.mark.parametrize("shape", [(64, 1), (1, 64), (8, 8)])
def test_a_large_sheet_is_bounded(shape: tuple[int, int]):
    across, down = shape
    rows = {"field": "guidance_scale", "values": [place / 10 for place in range(down)]} if down > 1 else None
    whole = comparison(columns={"field": "seed", "values": list(range(across))}, rows=rows)
    image = opened(sheet.draw(whole, {(0, 0): picture(RED, 2048, 2048)}, {}))
    assert max(image.size) <= MAX_SIDE
    assert image.width * image.height <= MAX_PIXELS


@pytest.mark.parametrize("words", ["x" * 4000, "long words " * 360, "日本の庭 🏠 " * 400, "\n\t\u202e\0a"])
def test_any_prompt_keeps_the_sheet_in_its_width(words: str):
    whole = comparison(base={"prompt": words, "negative_prompt": words}, columns={"field": "seed", "values": [1]})
    plain = comparison(base={"prompt": "a"}, columns={"field": "seed", "values": [1]})
    drawn, usual = opened(sheet.draw(whole, {}, {})), opened(sheet.draw(plain, {}, {}))
    assert drawn.width == usual.width
    margin = drawn.crop((drawn.width - 30, 0, drawn.width, drawn.height))
    assert margin.getcolors() == [(30 * drawn.height, PAPER)]


def test_long_headings_are_clipped_to_three_lines_of_their_column():
    names = [f"{place} a name that goes on and on and on and on and on and on and on and on" * 4 for place in range(2)]
    whole = comparison(base={"prompt": names[0]}, columns={"field": "prompt", "values": names})
    red, blue = boxes(sheet.draw(whole, {(0, 0): picture(RED), (1, 0): picture(BLUE)}, {}), RED, BLUE)
    assert size(red) == size(blue) == (256, 256)


def test_the_captions_say_what_the_pictures_share_and_not_what_is_compared():
    pictures = [picture(RED, num_inference_steps=steps) for steps in (4, 28)]
    found = captions(comparison(), pictures)
    assert found.details.replace("\u00a0", " ") == (
        "stable-diffusion-3.5-medium · guidance 4.5 · seed 42 · 256 × 256 pixels · 21 November 2026"
    )
    assert (found.columns_name, found.columns) == ("Steps", ("4", "28"))
    assert found.negative_prompt == "Without: fog"


def test_what_differs_among_the_pictures_is_not_said_of_all():
    found = captions(comparison(), [picture(RED, guidance_scale=1.0), picture(RED, 128, 128, guidance_scale=2.0)])
    assert "guidance" not in found.details
    assert "pixels" not in found.details


def test_without_pictures_the_captions_say_what_was_asked_for():
    assert captions(comparison(), []).details == "seed\u00a042"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no comparison"),
        (b"a text", "no comparison"),
        (picture(RED), "single picture"),
        (b"{", "damaged"),
        (b"{" + b"\xff" * 10, "damaged"),
        (b'{"a":' * 100_000, "damaged"),
        (b"{}", "has no base"),
        (b'{"x": "' + b"y" * 1_100_000 + b'"}', "too large"),
        (json.dumps({"base": {"prompt": "x"}, "columns": {"field": "seed", "values": [-9]}}).encode(), "Seed"),
    ],
    ids=["empty", "text", "picture", "cut", "bytes", "deep", "nothing", "large", "value"],
)
def test_what_is_no_comparison_is_refused_with_a_sentence(data: bytes, sentence: str):
    with pytest.raises(InvalidRequest, match=sentence):
        sheet.read_comparison(data)
