"""Files that people bring along, as plain pixels: RGB for pictures, one byte a pixel for masks.

Whatever a file means beyond that (orientation, transparency, colour profile, depth, further frames) is applied here
once, with a sentence about it, or refused. Size is judged by the header: a decompression bomb is never unpacked.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError

from pipeline.errors import InvalidRequest

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MIN_SIDE = 16
"""Pixels; a smaller picture has nothing to work from."""
MAX_SIDE = 16_384
_DEEP = {"I", "F", "I;16", "I;16L", "I;16B"}
_RANGES = (1.0, 255.0, 65_535.0)
"""What white is in pictures of integers or fractions of 32 bits: the least that none of their values exceeds."""
_ORIENTATION = 0x0112
"""Its tag in EXIF: 1 is upright, 2 to 8 are turned or mirrored."""


class Decoded(NamedTuple):
    """A picture as pixels."""

    image: Image.Image
    """Mode RGB, or L for a mask."""
    notes: tuple[str, ...]
    """A sentence for each thing that was done to it."""


def decode_picture(source: bytes | Image.Image, max_pixels: int) -> Decoded:
    """The picture in a file, or an open one: upright, in sRGB, without transparency.

    Raises `InvalidRequest` for what is of no use.
    """
    return _decoded(source, max_pixels, _to_rgb)


def decode_mask(source: bytes | Image.Image, max_pixels: int) -> Decoded:
    """The mask in a file, or an open one, white where something is drawn anew: its brightness, or its opacity if that
    is all it has. Raises `InvalidRequest` for what cannot be used."""
    return _decoded(source, max_pixels, _to_mask)


def decode_cutout(source: bytes | Image.Image, max_pixels: int) -> Decoded:
    """The mask in a picture, or an open one, that is transparent where something is drawn anew. Raises
    `InvalidRequest` for what cannot be used."""
    return _decoded(source, max_pixels, _from_cutout)


def on_white(rgb: Image.Image, opacity: Image.Image) -> Image.Image:
    """The colours (mode RGB) of a picture with white behind them, where its `opacity` (mode L) is below 255."""
    return Image.composite(rgb, Image.new("RGB", rgb.size, "white"), opacity)


def _decoded(source: bytes | Image.Image, max_pixels: int, convert: Callable[[Image.Image], Decoded]) -> Decoded:
    try:
        with _opened(source) as image:
            _check_size(image, max_pixels)
            upright, notes = _upright(image)
    except InvalidRequest:
        raise
    except Image.DecompressionBombError:
        raise _too_large("The picture", max_pixels) from None
    except UnidentifiedImageError:
        kinds = ", ".join(FORMATS[:-1])
        message = f"This file is not a picture that can be read: a {kinds} or {FORMATS[-1]}."
        raise InvalidRequest(message, "Choose another file.", field="file") from None
    except Exception as error:  # over a damaged file Pillow's decoders stumble in every way there is
        remedy = "Save it again in the program that made it, or choose another."
        raise InvalidRequest(f"The picture is damaged: {error}.", remedy, field="file") from None
    found = convert(upright)
    return Decoded(found.image, (*notes, *found.notes))


def _opened(source: bytes | Image.Image) -> Image.Image:
    """A file as far as its header, or a copy of what is open already, which stays as it is."""
    return source.copy() if isinstance(source, Image.Image) else Image.open(io.BytesIO(source), formats=FORMATS)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    told = f"The picture has {width:,} × {height:,} pixels"
    if min(width, height) < MIN_SIDE:
        message = f"{told}, which is too small to work from."
        raise InvalidRequest(message, f"Choose one with {MIN_SIDE} pixels a side or more.", field="file")
    if max(width, height) > MAX_SIDE or width * height > max_pixels:
        raise _too_large(told, max_pixels)


def _too_large(told: str, max_pixels: int) -> InvalidRequest:
    message = f"{told}, more than the studio takes." if "pixels" in told else f"{told} is larger than the studio takes."
    remedy = f"Choose one of at most {max_pixels:,} pixels and {MAX_SIDE:,} a side, or make it smaller first."
    return InvalidRequest(message, remedy, field="file")


def _upright(image: Image.Image) -> tuple[Image.Image, list[str]]:
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("It has several frames: the first is used.")
    if image.getexif().get(_ORIENTATION) in range(2, 9):
        notes.append("It was turned as its file says.")
    image.info.pop("exif", None)  # has been read; Pillow would write it anew, which what cameras put there often defies
    return ImageOps.exif_transpose(image), notes


def _to_rgb(image: Image.Image) -> Decoded:
    notes = []
    if image.mode in _DEEP:
        image = _shallow(image)
        notes.append("Its values were brought to eight bits.")
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    opacity = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    rgb, note = _in_srgb(image)
    if note:
        notes.append(note)
    if opacity is not None and opacity.getextrema() != (255, 255):
        rgb = on_white(rgb, opacity)
        notes.append("Its transparent parts are white now.")
    return _bare(rgb, *notes)


def _to_mask(image: Image.Image) -> Decoded:
    if image.mode in _DEEP:
        image = _shallow(image)
    if not image.has_transparency_data:
        return _bare(image.convert("L"))
    image = image.convert("RGBA")
    opacity = image.getchannel("A")
    shown = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("L")
    if np.asarray(shown).max() <= 127 and np.asarray(opacity).min() < 255:  # painted in any colour on nothing
        return _bare(opacity, "Its opacity is taken for the mask.")
    return _bare(shown)


def _from_cutout(image: Image.Image) -> Decoded:
    if image.mode in _DEEP or not image.has_transparency_data:
        remedy = "Make transparent what is to be drawn anew, and save it as a PNG of eight bits."
        raise InvalidRequest("The mask has no transparent part.", remedy, field="file")
    return _bare(ImageChops.invert(image.convert("RGBA").getchannel("A")))


def _bare(image: Image.Image, *notes: str) -> Decoded:
    """Without what the file said besides its pixels: Pillow would write a profile that holds no more with them."""
    image.info.clear()
    return Decoded(image, notes)


def _shallow(image: Image.Image) -> Image.Image:
    """Sixteen bits and more as eight: by their range, or between their least and most where they keep to none."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        low, high = 0.0, _RANGES[-1]
    elif low >= 0 and high <= _RANGES[-1]:
        low, high = 0.0, next(most for most in _RANGES if high <= most)
    scaled = (values - low) * (255 / max(high - low, 1e-9))
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))


def _in_srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """By the colour profile in the file, where it has one that can be read."""
    profile = image.info.get("icc_profile")
    plain = image if image.mode in {"RGB", "CMYK", "L"} else image.convert("L" if image.mode in {"1", "LA"} else "RGB")
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            changed = ImageCms.profileToProfile(plain, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            return plain.convert("RGB"), "Its colour profile cannot be used and is left out."
        if changed is not None:
            told = changed.tobytes() != plain.convert("RGB").tobytes()
            return changed, "Its colours were brought to sRGB." if told else ""
    return plain.convert("RGB"), "Its colours were brought from CMYK to RGB." if image.mode == "CMYK" else ""
