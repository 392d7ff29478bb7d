import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.gallery import formats
from pipeline.gallery.metadata import RECIPE_KEY, encode_png
from pipeline.gallery.verify import verify
from tests.gallery.pictures import ORIGIN, make_picture

PNG = encode_png(make_picture(), ORIGIN)


def changed(change, png: bytes = PNG, **options) -> bytes:
    """The picture after an editor had it: its pixels through `change`, its recipe kept."""
    with Image.open(io.BytesIO(png)) as image:
        kept = PngInfo()
        kept.add_itxt(RECIPE_KEY, image.info[RECIPE_KEY])
        edited = change(image)
    buffer = io.BytesIO()
    edited.save(buffer, "PNG", pnginfo=kept, **options)
    return buffer.getvalue()


def one_pixel(image: Image.Image) -> Image.Image:
    red, green, blue = image.getpixel((3, 2))
    image.putpixel((3, 2), (red, green, blue ^ 1))
    return image


def test_a_picture_as_it_was_saved_is_intact(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    assert verify(path) == verify(PNG)
    assert verify(PNG).state == "intact"
    assert verify(PNG).sentence == "Every pixel is as it was made on 21 November 2026."


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_encoding_it_anew_without_changing_a_pixel_leaves_it_intact(mode: str):
    again = changed(lambda image: image.convert(mode), optimize=True)
    assert again != PNG
    assert verify(again).state == "intact"


def test_the_smallest_change_of_one_pixel_is_noticed():
    verdict = verify(changed(one_pixel))
    assert verdict.state == "altered"
    assert verdict.sentence == "Its pixels were changed since it was made on 21 November 2026."


def test_a_resized_picture_is_altered_and_the_sentence_has_both_sizes():
    verdict = verify(changed(lambda image: image.resize((8, 4))))
    assert verdict.state == "altered"
    assert "from 16 × 8 to 8 × 4 pixels" in verdict.sentence


@pytest.mark.parametrize(("kind", "name"), [("jpeg", "JPEG"), ("webp", "WebP")])
def test_a_copy_in_a_lossy_format_is_neither_intact_nor_accused(kind, name: str):
    verdict = verify(formats.export(PNG, kind))
    assert verdict.state == "unknown"
    assert verdict.sentence.startswith(f"A {name} is a copy")


def test_a_picture_of_somebody_else_cannot_be_judged():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    verdict = verify(buffer.getvalue())
    assert verdict.state == "unknown"
    assert "no settings of Darkroom" in verdict.sentence


@pytest.mark.parametrize("broken", [b"", b"a text", PNG[:-30]], ids=["empty", "text", "cut short"])
def test_what_cannot_be_read_cannot_be_judged(broken: bytes):
    verdict = verify(broken)
    assert verdict.state == "unknown"
    assert "cannot be read" in verdict.sentence or "damaged" in verdict.sentence


def test_a_file_of_too_many_pixels_is_not_unpacked():
    assert verify(PNG, max_pixels=16 * 8).state == "intact"
    verdict = verify(PNG[:-30], max_pixels=16 * 8 - 1)
    assert verdict.state == "unknown"
    assert verdict.sentence == "It has 16 × 8 pixels, more than the studio takes."


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "none.png")
