"""A picture as a file for a provider."""

from __future__ import annotations

import base64
import io

from PIL import Image


def enclosed(image: Image.Image, most: int) -> tuple[bytes, str]:
    """The file and its media type: PNG, which keeps every pixel, or JPEG where that would have more than `most` bytes,
    as with photographs of many megapixels."""
    data = encoded(image, "PNG")
    return (data, "image/png") if len(data) <= most else (encoded(image, "JPEG", quality=95), "image/jpeg")


def data_uri(image: Image.Image, most: int) -> str:
    """The same in the address itself, for providers that read pictures from addresses."""
    data, kind = enclosed(image, most)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    """The picture as a file of that kind; `options` are those of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
