"""The labelled contact sheet of a comparison: one PNG to look at, to print, and to make again.

It carries its `Comparison` as JSON in an iTXt chunk, `darkroom-comparison`. Boxes are of one size, that of the largest
picture; others are fitted into them. A sheet is bounded in size: what would be larger is drawn smaller, and says so.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageOps
from PIL.PngImagePlugin import PngInfo

from pipeline.compare.arrangement import Arrangement, arrange
from pipeline.compare.captions import captions
from pipeline.compare.grid import Comparison, parse_comparison
from pipeline.compare.lettering import Lettering
from pipeline.errors import InvalidRequest
from pipeline.gallery.metadata import RECIPE_KEY, read_texts

COMPARISON_KEY = "darkroom-comparison"

_LARGEST_JSON = 1_000_000
"""Bytes of a comparison that is read."""

_PAPER, _INK, _SOFT, _HAIR, _EMPTY = "#faf6ef", "#2b2320", "#75665b", "#d8cabb", "#f3ebdf"
_PLAIN_LETTERS = "Letters that no font of this machine has are written plainly or as “?”; the words inside are whole"

Place = tuple[int, int]
"""Column and row."""


def draw(comparison: Comparison, pictures: Mapping[Place, bytes], notes: Mapping[Place, str]) -> bytes:
    """The sheet as a PNG with the comparison inside.

    `pictures` are PNGs by column and row. Where there is none stands a pale frame with the words that `notes` has.
    """
    texts = captions(comparison, list(pictures.values()))
    letters = Lettering([*texts.all, *notes.values(), _PLAIN_LETTERS])
    largest = _largest(comparison, pictures)
    plan = arrange(texts, letters, largest)
    canvas = Image.new("RGB", (plan.width, plan.height), _PAPER)
    _write(canvas, plan, letters, _foot(plan, letters, largest))
    for row, y in enumerate(plan.rows):
        for column, x in enumerate(plan.columns):
            picture = pictures.get((column, row))
            if picture is None or not _paste(canvas, plan, (x, y), picture):
                _leave_empty(canvas, plan, letters, (x, y), notes.get((column, row), "Not made"))
    return _encoded(canvas, comparison)


def read_comparison(data: bytes) -> Comparison:
    """The comparison in a sheet or in JSON. Raises `InvalidRequest` for what is neither."""
    texts = read_texts(data)
    if COMPARISON_KEY in texts:
        return _parsed(texts[COMPARISON_KEY].encode())
    if RECIPE_KEY in texts:
        raise InvalidRequest("This is a single picture, not a contact sheet.", "Drop it on Create to use its settings.")
    if data.lstrip()[:1] != b"{":
        raise InvalidRequest(
            "There is no comparison in this file.", "Choose a contact sheet as it was saved, or a comparison as JSON."
        )
    return _parsed(data)


def _parsed(data: bytes) -> Comparison:
    if len(data) > _LARGEST_JSON:
        raise InvalidRequest("This file is too large for a comparison.", "Choose another one.")
    try:
        return parse_comparison(json.loads(data))
    except (ValueError, RecursionError):
        raise InvalidRequest("The comparison in this file is damaged.", "Choose another copy of it.") from None


def _largest(comparison: Comparison, pictures: Mapping[Place, bytes]) -> tuple[int, int]:
    """Width and height into which every picture fits as it is; without pictures, the size that is asked for."""
    sizes = [size for size in map(_size, pictures.values()) if size]
    if not sizes:
        return comparison.base.width or 512, comparison.base.height or 512
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _size(picture: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _write(canvas: Image.Image, plan: Arrangement, letters: Lettering, foot: str) -> None:
    """Everything but the boxes."""
    pen = ImageDraw.Draw(canvas)
    for line in plan.lines:
        letters.draw(pen, (line.x, line.y), line.text, line.size, _SOFT if line.soft else _INK)
    left, right, y = plan.rule
    pen.line((left, y, right, y), fill=_HAIR, width=max(plan.note // 14, 1))
    bottom = plan.height - plan.margin
    for place, text in enumerate(letters.lines(foot, plan.note, right - left, 2)):
        letters.draw(pen, (left, bottom + place * plan.note * 1.4), text, plan.note, _SOFT)


def _foot(plan: Arrangement, letters: Lettering, largest: tuple[int, int]) -> str:
    share = plan.box[0] / largest[0]
    told = ["Darkroom"]
    if share < 0.995 or share > 1.005:
        told.append(f"pictures at {share:.0%} of their size")
    if not letters.is_complete:
        told.append(_PLAIN_LETTERS)
    return " · ".join(told)


def _paste(canvas: Image.Image, plan: Arrangement, corner: tuple[int, int], picture: bytes) -> bool:
    """Put the picture into its box, in its own proportions on a pale mount; false when it cannot be read."""
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            whole = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    if whole.size != plan.box:
        whole = ImageOps.pad(whole, plan.box, Image.Resampling.LANCZOS, color=_EMPTY)
    canvas.paste(whole, corner)
    return True


def _leave_empty(
    canvas: Image.Image, plan: Arrangement, letters: Lettering, corner: tuple[int, int], note: str
) -> None:
    """A pale frame with a few words in its middle."""
    pen = ImageDraw.Draw(canvas)
    (x, y), (width, height) = corner, plan.box
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY, outline=_HAIR, width=max(plan.note // 14, 1))
    most = max(int(height / (plan.note * 1.4)) - 1, 1)
    lines = letters.lines(note, plan.note, width * 0.8, min(most, 5))
    top = y + (height - len(lines) * plan.note * 1.4) / 2
    for place, text in enumerate(lines):
        left = x + (width - letters.width(text, plan.note)) / 2
        letters.draw(pen, (left, top + (place * 1.4 + 1) * plan.note), text, plan.note, _SOFT)


def _encoded(canvas: Image.Image, comparison: Comparison) -> bytes:
    chunks = PngInfo()
    chunks.add_itxt(COMPARISON_KEY, comparison.model_dump_json())
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", pnginfo=chunks, compress_level=4, dpi=(300, 300))
    return buffer.getvalue()
