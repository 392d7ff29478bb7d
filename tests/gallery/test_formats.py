import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import InvalidRequest
from pipeline.events import Picture
from pipeline.gallery import difference, exif, formats
from pipeline.gallery.metadata import A1111_KEY, a1111_text, encode_png, read_origin, read_recipe, read_texts
from pipeline.gallery.restore import read_settings
from tests.gallery.pictures import ORIGIN, make_picture, make_recipe

KINDS = ("jpeg", "webp")


def soft(width: int = 96, height: int = 64) -> Picture:
    """A picture of soft colours with a little grain, as generated ones are."""
    y, x = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(0).integers(0, 4, (height, width, 3))
    pixels = np.stack([x * 200 // width, y * 200 // height, (x + y) * 100 // (width + height)], axis=2) + 20 + grain
    pixels = pixels.astype(np.uint8)
    return Picture(index=0, rgb=pixels.tobytes(), recipe=make_recipe(pixels.tobytes(), width=width, height=height))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "prompt",
    ["a house", "日本の庭, ein Häuschen 🏠\nzweite Zeile", "x" * 4000, "🏠" * 4000],
    ids=["plain", "any language", "as long as may be", "as many bytes as may be"],
)
def test_a_copy_gives_back_the_very_recipe(kind, prompt: str):
    picture = make_picture(prompt=prompt, negative_prompt=prompt, variation_seed=7, variation_strength=0.25)
    assert read_recipe(formats.export(encode_png(picture, ORIGIN), kind)) == picture.recipe


@pytest.mark.parametrize("kind", KINDS)
def test_other_programs_find_the_text_in_a_copy(kind):
    picture = make_picture(prompt="ein Häuschen, 日本")
    with Image.open(io.BytesIO(formats.export(encode_png(picture, ORIGIN), kind))) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be") == a1111_text(picture.recipe)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_restored_from_a_copy_are_those_of_the_png(kind):
    png = encode_png(soft(), ORIGIN)
    assert read_settings(formats.export(png, kind)) == read_settings(png)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_smaller_and_looks_the_same(kind):
    png = encode_png(soft(512, 384), ORIGIN)
    copy = formats.export(png, kind)
    found = difference.measure(png, copy)
    assert len(copy) < len(png)
    assert found.psnr > 38
    assert found.ssim > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_as_good_as_is_asked_for(kind):
    png = encode_png(soft(), ORIGIN)
    worst, usual, best = (len(formats.export(png, kind, quality)) for quality in (0, None, 100))
    assert worst < usual < best


@pytest.mark.parametrize(("kind", "name", "mode"), [("jpeg", "JPEG", "RGB"), ("webp", "WEBP", "RGBA")])
def test_a_copy_has_no_profile_and_is_transparent_where_its_format_can_be(kind, name: str, mode: str):
    info = PngInfo()
    info.add_text("Software", "an editor")
    buffer = io.BytesIO()
    Image.new("RGBA", (16, 16), (200, 30, 30, 128)).save(buffer, "PNG", pnginfo=info, icc_profile=b"profile")
    with Image.open(io.BytesIO(formats.export(buffer.getvalue(), kind))) as image:
        assert (image.format, image.mode, image.size) == (name, mode, (16, 16))
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_settings_has_a_copy_without_any(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG")
    assert read_texts(formats.export(buffer.getvalue(), kind)) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_does_not_claim_to_be_the_original(kind):
    assert read_origin(formats.export(encode_png(make_picture(), ORIGIN), kind)) is None


@pytest.mark.parametrize("broken", [b"", b"text", encode_png(make_picture(), ORIGIN)[:-40]])
def test_there_is_no_copy_of_what_is_no_picture(broken: bytes):
    with pytest.raises(InvalidRequest, match="cannot be read"):
        formats.export(broken, "jpeg")


@pytest.mark.parametrize("text", ["Steps: 20, Seed: 1", "ein Häuschen\nSteps: 20", "日本\nSteps: 20, Seed: 1"])
@pytest.mark.parametrize(
    ("prefix", "encoding"),
    [
        (b"UNICODE\0", "utf-16-be"),
        (b"UNICODE\0", "utf-16-le"),
        (b"UNICODE\0", "utf-16"),
        (b"ASCII\0\0\0", "utf-8"),
        (bytes(8), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_a_comment_is_read_in_every_way_that_programs_write_it(text: str, prefix: bytes, encoding: str):
    block = Image.Exif()
    block.get_ifd(0x8769)[0x9286] = prefix + text.encode(encoding)
    assert exif.comment(block.tobytes()) == text


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_damaged_exif_is_read_as_none():
    block = exif.write("Steps: 20", "{}")
    for end in range(0, len(block), 7):
        assert isinstance(exif.comment(block[:end]), str)
        assert isinstance(exif.note(block[end:]), str)


def test_a_text_that_a_jpeg_has_no_room_for_leaves_the_recipe():
    picture = make_picture(prompt="🏠" * 4000, negative_prompt="🏠" * 4000, arguments={"note": "x" * 2000})
    copy = formats.export(encode_png(picture, ORIGIN), "jpeg")
    assert A1111_KEY not in read_texts(copy)
    assert read_recipe(copy) == picture.recipe
