"""What becomes of the files that people have."""

from __future__ import annotations

import io
import random
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from pipeline.errors import InvalidRequest
from pipeline.pictures.decode import FORMATS, MAX_SIDE, MIN_SIDE, Decoded, decode_cutout, decode_mask, decode_picture
from tests.pictures.profiles import gray_inks, wide_gamut
from tests.pictures.samples import deep_png, file, noisy, png_header, shaded

MANY = 50_000_000
SHALLOW = "Its values were brought to eight bits."
TURNED = "It was turned as its file says."
FRAMES = "It has several frames: the first is used."
WHITE = "Its transparent parts are white now."
SRGB = "Its colours were brought to sRGB."


def picture(data: bytes) -> Decoded:
    found = decode_picture(data, MANY)
    assert found.image.mode == "RGB"
    return found


def mask(data: bytes) -> Decoded:
    found = decode_mask(data, MANY)
    assert found.image.mode == "L"
    return found


def refusal(data: bytes, max_pixels: int = MANY) -> str:
    with pytest.raises(InvalidRequest) as caught:
        decode_picture(data, max_pixels)
    assert caught.value.info.field == "file"
    assert caught.value.info.remedy
    return caught.value.info.message


def is_(found: Decoded, image: Image.Image, *notes: str) -> bool:
    """Whether `found` has the very pixels of `image`, and nothing besides them but those notes."""
    return (found.image, found.notes) == (Image.frombytes(image.mode, image.size, image.tobytes()), notes)


def apart(first: Image.Image, second: Image.Image) -> float:
    """The mean difference of two pictures, of 255."""
    assert first.size == second.size
    return max(ImageStat.Stat(ImageChops.difference(first, second)).mean)


def gray(value: float, dtype: str) -> Image.Image:
    return Image.fromarray(np.full((MIN_SIDE, MIN_SIDE), value, dtype))


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# -- formats and modes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_file_without_loss_gives_its_very_pixels_and_nothing_to_tell(kind: str) -> None:
    assert is_(picture(file(shaded(), kind)), shaded())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_a_file_with_loss_gives_nearly_its_pixels(kind: str) -> None:
    found = picture(file(shaded(), kind))
    assert apart(found.image, shaded()) < 12
    assert found.notes == ()


def test_every_format_is_tried_here() -> None:
    assert set(FORMATS) == {"PNG", "TIFF", "BMP", "JPEG", "WEBP", "GIF"}


@pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("L", "JPEG"), ("1", "TIFF")])
def test_grays_keep_their_brightness(mode: str, kind: str) -> None:
    found = picture(file(shaded().convert(mode), kind, **{"quality": 100} if kind == "JPEG" else {}))
    assert apart(found.image, shaded().convert(mode).convert("RGB")) < 1
    assert found.notes == ()


def test_a_palette_is_resolved_and_transparent_entries_become_white() -> None:
    few = shaded().quantize(16)
    assert is_(picture(file(few)), few.convert("RGB"))
    clear = picture(file(few, transparency=few.getpixel((0, 0))))
    assert (clear.image.getpixel((0, 0)), clear.notes) == ((255, 255, 255), (WHITE,))
    half = picture(file(few, transparency=bytes([128] * 16)))
    assert apart(half.image, Image.blend(Image.new("RGB", few.size, "white"), few.convert("RGB"), 128 / 255)) < 1


def test_print_colours_without_a_profile_are_brought_to_rgb_and_it_says_so() -> None:
    for kind in ("JPEG", "TIFF"):
        found = picture(file(shaded().convert("CMYK"), kind))
        assert apart(found.image, shaded()) < 12
        assert found.notes == ("Its colours were brought from CMYK to RGB.",)


def test_print_colours_go_by_the_inks_in_their_profile() -> None:
    cyan = Image.new("CMYK", (32, 32), (100, 0, 0, 0))
    for kind in ("JPEG", "TIFF"):
        found = picture(file(cyan, kind, icc_profile=gray_inks()))
        red, green, blue = found.image.getpixel((5, 5))
        assert red == green == blue < 200
        assert found.notes == (SRGB,)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_beyond_srgb_are_brought_into_it(mode: str) -> None:
    own = Image.new("RGB", (32, 32), (200, 100, 100)).convert(mode, palette=Image.Palette.ADAPTIVE)
    found = picture(file(own, icc_profile=wide_gamut()))
    red, green, blue = found.image.getpixel((5, 5))
    assert red > 210
    assert max(green, blue) < 99
    assert found.notes == (SRGB,)


def test_a_profile_that_changes_nothing_is_not_told() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert is_(picture(file(shaded(), icc_profile=profile)), shaded())


@pytest.mark.parametrize("profile", [b"no profile", gray_inks(), wide_gamut()[:200]])
def test_a_profile_that_does_not_belong_is_left_out_and_it_says_so(profile: bytes) -> None:
    found = picture(file(shaded(), icc_profile=profile))
    assert is_(found, shaded(), "Its colour profile cannot be used and is left out.")


# -- depth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "eight"), [(0, 0), (200, 1), (32_768, 128), (65_535, 255)])
def test_sixteen_bits_are_judged_by_their_range_and_not_by_what_is_in_them(kind: str, value: int, eight: int) -> None:
    found = picture(file(gray(value, "uint16"), kind))
    assert found.image.getextrema() == ((eight, eight),) * 3
    assert found.notes == (SHALLOW,)


@pytest.mark.parametrize(("least", "most"), [(0.0, 1.0), (0, 255), (0, 65_535), (0, 1_000_000), (-4.5, 3.25)])
def test_thirty_two_bits_go_from_black_to_white(least: float, most: float) -> None:
    ramp = np.linspace(least, most, 256, dtype="float32").reshape(16, 16)
    found = picture(file(Image.fromarray(ramp), "TIFF"))
    assert found.image.getchannel("R").tobytes() == bytes(range(256))
    assert found.notes == (SHALLOW,)


@pytest.mark.parametrize(("dtype", "value", "eight"), [("float32", 0.5, 128), ("int32", 200, 200), ("int32", 514, 2)])
def test_a_flat_picture_of_thirty_two_bits_keeps_its_brightness(dtype: str, value: float, eight: int) -> None:
    assert picture(file(gray(value, dtype), "TIFF")).image.getpixel((0, 0)) == (eight,) * 3


def test_what_is_no_number_is_black() -> None:
    values = np.full((MIN_SIDE, MIN_SIDE), 0.5, "float32")
    values[0, :3] = np.nan, np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = picture(file(Image.fromarray(values), "TIFF"))
    assert [found.image.getpixel((x, 0))[0] for x in range(4)] == [0, 0, 0, 128]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_deep_files_of_any_channels_are_read(channels: int) -> None:
    values = np.full((20, 20, channels), 32_768)
    values[..., -1] |= 0x7FFF * (channels % 2 == 0)  # opaque
    assert picture(deep_png(values)).image.getpixel((3, 3)) == (128, 128, 128)


# -- orientation, frames, transparency -------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photograph_is_upright(orientation: int) -> None:
    turns = Image.Transpose
    back = {6: turns.ROTATE_90, 8: turns.ROTATE_270, 3: turns.ROTATE_180, 2: turns.FLIP_LEFT_RIGHT}
    back |= {4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE, 7: turns.TRANSVERSE}
    stored = shaded().transpose(back[orientation])
    found = picture(file(stored, "PNG", exif=oriented(orientation)))
    assert is_(found, shaded(), TURNED)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_every_format_that_says_how_it_is_turned_is_heard(kind: str) -> None:
    found = picture(file(shaded().transpose(Image.Transpose.ROTATE_90), kind, exif=oriented(6)))
    assert apart(found.image, shaded()) < 12
    assert found.notes == (TURNED,)


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_upright_one_or_an_orientation_that_means_nothing_is_not_told(orientation: int) -> None:
    assert is_(picture(file(shaded(), exif=oriented(orientation))), shaded())


def test_a_turned_photograph_is_read_though_the_rest_of_its_exif_cannot_be_written_again() -> None:
    exif = oriented(6)
    exif[0x010E] = "a text"
    data = file(shaded().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
    found = picture(data.replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02"))  # it stands where a width should
    assert apart(found.image, shaded()) < 12
    assert found.notes == (TURNED,)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_used_and_it_says_so(kind: str) -> None:
    red = Image.new("RGB", shaded().size, "red")
    found = picture(file(shaded(), kind, save_all=True, append_images=[red, red.rotate(5)]))
    assert apart(found.image, shaded()) < 12
    assert found.notes == (FRAMES,)


def test_a_telephones_photograph_with_a_second_picture_behind_it_is_read() -> None:
    found = picture(file(shaded(), "MPO", save_all=True, append_images=[shaded().rotate(90)]))
    assert apart(found.image, shaded()) < 12


def test_transparent_parts_become_white_by_as_much_as_they_are() -> None:
    own = shaded().convert("RGBA")
    own.putalpha(Image.linear_gradient("L").resize(own.size))
    found = picture(file(own))
    white = Image.new("RGB", own.size, "white")
    assert apart(found.image, Image.composite(shaded(), white, own.getchannel("A"))) < 1
    assert found.notes == (WHITE,)


def test_an_opaque_picture_with_an_opacity_is_as_it_was() -> None:
    for mode in ("RGBA", "LA"):
        opaque = shaded().convert(mode)
        assert is_(picture(file(opaque)), opaque.convert("RGB"))


# -- masks ------------------------------------------------------------------------------------------------------


def strokes(colour: str | tuple[int, ...], ground: str | tuple[int, ...], mode: str = "RGBA") -> bytes:
    """A square of one colour in the middle of another."""
    image = Image.new(mode, (32, 32), ground)
    image.paste(Image.new(mode, (16, 16), colour), (8, 8))
    return file(image)


SQUARE = Image.new("L", (32, 32), 0)
SQUARE.paste(255, (8, 8, 24, 24))


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
def test_white_on_black_is_a_mask_in_every_mode(mode: str) -> None:
    assert is_(mask(file(SQUARE.convert(mode))), SQUARE)


def test_a_mask_of_sixteen_bits_is_read() -> None:
    assert mask(file(Image.fromarray(np.asarray(SQUARE).astype("uint16") * 257))).image == SQUARE


@pytest.mark.parametrize("colour", ["black", "red", "navy"])
def test_what_is_painted_in_a_dark_colour_on_nothing_is_the_mask(colour: str) -> None:
    found = mask(strokes(colour, (0, 0, 0, 0)))
    assert is_(found, SQUARE, "Its opacity is taken for the mask.")


@pytest.mark.parametrize("ground", [(0, 0, 0, 0), (255, 255, 255, 0)])
def test_what_is_painted_in_white_on_nothing_is_the_mask(ground: tuple[int, ...]) -> None:
    assert mask(strokes("white", ground)).image == SQUARE


def test_of_a_cutout_the_transparent_part_is_the_mask_whatever_colour_it_has() -> None:
    cutout = Image.new("RGBA", SQUARE.size, "white")
    cutout.putalpha(ImageChops.invert(SQUARE))
    for kind in ("PNG", "WEBP"):
        assert is_(decode_cutout(file(cutout, kind, lossless=True), MANY), SQUARE)


@pytest.mark.parametrize("opaque", [SQUARE, SQUARE.convert("RGB"), Image.new("I;16", (32, 32))], ids=lambda i: i.mode)
def test_a_cutout_without_a_transparent_part_is_refused(opaque: Image.Image) -> None:
    with pytest.raises(InvalidRequest, match="no transparent part"):
        decode_cutout(file(opaque), MANY)


@pytest.mark.parametrize(("colour", "value"), [("black", 0), ("white", 255)])
def test_an_opaque_mask_of_one_colour_is_what_it_shows(colour: str, value: int) -> None:
    found = mask(file(Image.new("RGBA", (32, 32), colour)))
    assert found.image.getextrema() == (value, value)


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a text that somebody named picture.png",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
        b"%PDF-1.7",
        b"\x00\x00\x00\x1cftypheic",
        file(shaded(), "PPM"),
        file(shaded(), "ICO"),
    ],
    ids=["empty", "text", "svg", "pdf", "heic", "ppm", "ico"],
)
def test_what_is_no_picture_of_a_known_format_is_refused_with_the_formats(data: bytes) -> None:
    message = refusal(data)
    assert all(kind in message for kind in FORMATS)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_was_cut_off_anywhere_is_refused(kind: str) -> None:
    data = file(noisy(), kind)
    for part in range(16):
        assert refusal(data[: len(data) * part // 16])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(kind: str) -> None:
    chance = random.Random(kind)
    options = {"exif": oriented(6)} if kind in {"PNG", "JPEG", "WEBP", "TIFF"} else {}
    whole = file(noisy(), kind, **options)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            data[chance.randrange(chance.choice((200, len(data))))] = chance.randrange(256)
        with suppress(InvalidRequest):
            assert picture(bytes(data)).image.mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 400), (400, MIN_SIDE - 1)])
def test_a_picture_too_small_to_work_from_is_refused(size: tuple[int, int]) -> None:
    message = refusal(file(Image.new("RGB", size)))
    assert "too small" in message
    assert f"{size[0]} × {size[1]}" in message


def test_the_smallest_picture_is_taken() -> None:
    assert picture(file(Image.new("RGB", (MIN_SIDE, MIN_SIDE)))).image.size == (MIN_SIDE, MIN_SIDE)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "size", [(20_000, 100), (100, MAX_SIDE + 1), (9_000, 9_000), (12_000, 12_000), (60_000, 60_000)]
)
def test_a_picture_too_large_is_refused_by_its_header_alone(size: tuple[int, int]) -> None:
    assert "than the studio takes" in refusal(png_header(*size))


def test_a_picture_may_have_exactly_as_many_pixels_as_are_allowed() -> None:
    data = file(noisy(64, 48))
    assert decode_picture(data, 64 * 48).image.size == (64, 48)
    assert "64 × 48" in refusal(data, 64 * 48 - 1)


# -- open pictures ----------------------------------------------------------------------------------------------


def test_an_open_picture_is_read_like_its_file_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "photograph.jpg"
    path.write_bytes(file(shaded().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=oriented(6)))
    with Image.open(path) as own:
        before, size = own.info.copy(), own.size
        assert decode_picture(own, MANY) == picture(path.read_bytes())
        assert decode_mask(own, MANY) == mask(path.read_bytes())
        assert (own.info, own.size) == (before, size)


def test_an_open_picture_of_no_use_is_refused_too() -> None:
    with pytest.raises(InvalidRequest, match="too small"):
        decode_picture(Image.new("RGB", (8, 8)), MANY)
    with pytest.raises(InvalidRequest, match="damaged"), Image.open(io.BytesIO(file(noisy())[:5000])) as cut:
        decode_picture(cut, MANY)
