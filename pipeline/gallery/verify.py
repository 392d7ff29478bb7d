"""Whether a picture is as it was made: its pixels against the hash in its recipe."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict

from pipeline.gallery.metadata import read_recipe
from pipeline.recipe import Recipe

_NAMES = {"JPEG": "JPEG", "WEBP": "WebP"}


class Verdict(BaseModel):
    """What became of a picture since it was made. The settings inside it are not covered, only the pixels."""

    model_config = ConfigDict(frozen=True)

    state: Literal["intact", "altered", "unknown"]
    sentence: str


def verify(picture: bytes | Path, max_pixels: int | None = None) -> Verdict:
    """Compare the pixels with the hash that the recipe has of them; a file of more than `max_pixels` is not unpacked.

    Raises `OSError` for a file that is not there.
    """
    data = picture.read_bytes() if isinstance(picture, Path) else picture
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            if max_pixels is not None and image.width * image.height > max_pixels:
                sentence = f"It has {image.width:,} × {image.height:,} pixels, more than the studio takes."
                return Verdict(state="unknown", sentence=sentence)
            return _judged(image, read_recipe(data))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Verdict(state="unknown", sentence="This is not a picture that can be read, or it is damaged.")


def _judged(image: Image.Image, recipe: Recipe | None) -> Verdict:
    if recipe is None:
        sentence = "It carries no settings of Darkroom, so there is nothing to compare its pixels with."
        return Verdict(state="unknown", sentence=sentence)
    made = f"{recipe.created_at.astimezone():%-d %B %Y}"
    if hashlib.sha256(image.convert("RGB").tobytes()).hexdigest() == recipe.sha256:
        return Verdict(state="intact", sentence=f"Every pixel is as it was made on {made}.")
    if image.format != "PNG":
        sentence = f"A {_NAMES[image.format or '']} is a copy whose pixels differ a little by nature; check the PNG."
        return Verdict(state="unknown", sentence=sentence)
    return Verdict(state="altered", sentence=f"{_change(image, recipe)} since it was made on {made}.")


def _change(image: Image.Image, recipe: Recipe) -> str:
    if image.size == (recipe.width, recipe.height):
        return "Its pixels were changed"
    return f"Its size was changed from {recipe.width} × {recipe.height} to {image.width} × {image.height} pixels"
