"""Copies of a picture in other formats, with its settings inside."""

from __future__ import annotations

import io
from typing import Any, Literal

from PIL import Image

from pipeline.errors import InvalidRequest
from pipeline.gallery import exif
from pipeline.gallery.metadata import a1111_text, read_recipe

Kind = Literal["jpeg", "webp"]

_JPEG_EXIF = 65_500
"""Bytes that EXIF may take in a JPEG, whose segments are counted in sixteen bits."""

_SAVE: dict[Kind, dict[str, Any]] = {
    "jpeg": {"format": "JPEG", "quality": 92, "subsampling": "4:4:4", "optimize": True, "progressive": True},
    "webp": {"format": "WEBP", "quality": 90, "method": 4},
}
"""Of photographs and drawings of 1024 × 1024 pixels, the JPEG has a fifth of the PNG's bytes at 44 to 48 dB, and the
WebP a tenth at 40 to 43. Full colour resolution keeps red edges sharp (2 to 3 dB), which WebP does not have; its
slower methods save 3 % and take twice the time."""


def export(png: bytes, kind: Kind, quality: int | None = None) -> bytes:
    """The picture as a JPEG or WebP, in sRGB without a profile, from which `read_recipe` reads the same recipe.

    `quality` is 0 to 100; None is the usual one of the format. Raises `InvalidRequest` for what is not a picture.
    """
    image, block = _decoded(png, kind), _settings(png, kind)
    buffer = io.BytesIO()
    # Pillow would hand on what the PNG has: its colour profile, and text chunks that WebP does not know.
    image.info.clear()
    chosen = {} if quality is None else {"quality": quality}
    image.save(buffer, exif=block, **_SAVE[kind] | chosen)
    return buffer.getvalue()


def _settings(png: bytes, kind: Kind) -> bytes:
    """EXIF with the A1111 text and the recipe; where both are too much for a JPEG, the recipe, which says more."""
    recipe = read_recipe(png)
    if recipe is None:
        return b""
    text, note = a1111_text(recipe), recipe.model_dump_json()
    blocks = (exif.write(text, note), exif.write("", note), exif.write(text, ""), b"")
    return next(block for block in blocks if kind == "webp" or len(block) <= _JPEG_EXIF)


def _decoded(png: bytes, kind: Kind) -> Image.Image:
    """The picture, with its transparency where the format has some."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            return image.convert("RGBA" if kind == "webp" and image.has_transparency_data else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InvalidRequest("The picture cannot be read, so there is no copy of it.", "Make it again.") from None
