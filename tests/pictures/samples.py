"""Pictures to bring along, and the files that they come in."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
"""The colour type of a PNG for each number of channels."""


def shaded(width: int = 48, height: int = 32) -> Image.Image:
    """A picture that has a colour of its own at every pixel, and changes softly."""
    down, across = np.mgrid[0:height, 0:width]
    red, green = across * 255 // (width - 1), down * 255 // (height - 1)
    return Image.fromarray(np.dstack([red, green, (red + green) // 4]).astype(np.uint8))


def noisy(width: int = 64, height: int = 48) -> Image.Image:
    """A picture that compresses badly, and is the same each time."""
    values = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """`image` as a file of the format `kind`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of sixteen bits, which Pillow cannot write in colour, from rows × columns × channels."""
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOURS[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png_of(header, zlib.compress(rows))


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has that many pixels, and ends where they would begin."""
    return png_of(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"")


def png_of(header: bytes, pixels: bytes) -> bytes:
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
