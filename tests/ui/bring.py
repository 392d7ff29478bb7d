"""Pictures that a person brings along in the browser."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def slope(width: int, height: int) -> Image.Image:
    """Colours that run into each other, no two pixels of which are the same."""
    rows, columns = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([4 * rows, 4 * columns, 2 * (rows + columns)], axis=-1).astype(np.uint8))


def bring(page: Page, kind: str, data: bytes, name: str = "picture.png") -> None:
    """Choose a file in the uploader of that label."""
    uploader = page.get_by_test_id("stFileUploader").filter(has=page.get_by_label(kind))
    uploader.locator("input[type=file]").set_input_files(
        files=[{"name": name, "mimeType": "image/png", "buffer": data}]
    )
