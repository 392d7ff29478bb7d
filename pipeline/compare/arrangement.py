"""Where everything on a contact sheet stands, in pixels from its top left corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from pipeline.compare.captions import Captions
from pipeline.compare.lettering import Lettering

MAX_SIDE, MAX_PIXELS = 16_000, 48_000_000
"""Of a sheet: what viewers open, and what takes 150 MB while it is drawn."""

_SMALLEST = 256
"""Pixels of a box's longer side, at least: room for its heading. Smaller pictures are enlarged."""
_NARROWEST = 480
"""Pixels between the margins, at least, for the prompt above few and small boxes."""
_LEADING = 1.32
"""Height of a line by the size of its letters."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text: where its first letter stands on the baseline, and its size in pixels."""

    x: float
    y: float
    text: str
    size: int
    soft: bool = False
    """Whether it stands back, in a paler ink."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A sheet before it is drawn."""

    width: int
    height: int
    box: tuple[int, int]
    """Width and height of every box."""
    lines: tuple[Line, ...]
    columns: tuple[int, ...]
    """Left edge of each column of boxes."""
    rows: tuple[int, ...]
    """Upper edge of each row of boxes."""
    rule: tuple[int, int, int]
    """The hairline below the headings: left, right, and its height on the sheet."""
    note: int
    """Size of the text in empty boxes and at the foot."""
    margin: int
    """Paper around everything."""


def arrange(texts: Captions, letters: Lettering, picture: tuple[int, int]) -> Arrangement:
    """The sheet with boxes that hold pictures of that size, smaller ones where it would be too large."""
    scale = max(1.0, _SMALLEST / max(picture))
    while True:
        found = _Arranger(texts, letters, _scaled(picture, scale)).arrange()
        excess = max(found.width / MAX_SIDE, found.height / MAX_SIDE, sqrt(found.width * found.height / MAX_PIXELS))
        if excess <= 1:
            return found
        scale *= min(0.98, 1 / excess)


def _scaled(picture: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))


class _Arranger:
    """Puts everything in its place for boxes of one size, from top to bottom."""

    def __init__(self, texts: Captions, letters: Lettering, box: tuple[int, int]) -> None:
        self.texts, self.letters, self.box = texts, letters, box
        self.heading = _between(16, box[0] * 0.056, 60)
        self.note = _between(14, self.heading * 0.78, 48)
        self.gap = _between(8, box[0] * 0.025, 32)
        self.margin = _between(36, box[0] * 0.11, 140)
        self.beside = self._width_of_row_headings()
        across = len(texts.columns)
        self.inner = max(self.beside + across * (box[0] + self.gap) - self.gap, _NARROWEST)
        first = self.margin + self.beside
        self.columns = tuple(first + place * (box[0] + self.gap) for place in range(across))
        self.lines: list[Line] = []

    def arrange(self) -> Arrangement:
        rule = self._headings(self._introduction())
        top = rule + self.gap
        rows = tuple(top + place * (self.box[1] + self.gap) for place in range(max(len(self.texts.rows), 1)))
        self._row_headings(rows)
        return Arrangement(
            width=self.inner + 2 * self.margin,
            height=rows[-1] + self.box[1] + round(self.note * 2.2) + self.margin,
            box=self.box,
            lines=tuple(self.lines),
            columns=self.columns,
            rows=rows,
            rule=(self.margin, self.margin + self.inner, rule),
            note=self.note,
            margin=self.margin,
        )

    def _introduction(self) -> int:
        """The prompt, what it leaves out, and what all pictures share; where that ends."""
        size = _between(self.heading * 1.2, self.inner * 0.024, self.heading * 2.4)
        small = max(round(size * 0.62), self.note)
        below = self._paragraph(self.texts.prompt, self.margin, size, 8)
        below = self._paragraph(self.texts.negative_prompt, below + small * 0.3, small, 3, soft=True)
        below = self._paragraph(self.texts.details, below + small * 0.3, small, 3, soft=True)
        return round(below + self.heading * 1.2)

    def _paragraph(self, text: str, top: float, size: int, most: int, soft: bool = False) -> float:
        lines = self.letters.lines(text, size, self.inner, most)
        self._stack(lines, self.margin, top, size, soft)
        return top + len(lines) * size * _LEADING

    def _headings(self, top: int) -> int:
        """Names of the settings and headings of the columns, all down to one line; where the rule below them is."""
        self._stack([self.texts.columns_name], self.columns[0], top, self.note, soft=True)
        top += round(self.note * 1.5)
        wrapped = [self.letters.lines(text, self.heading, self.box[0], 3) for text in self.texts.columns]
        most = max(map(len, wrapped))
        for x, lines in zip(self.columns, wrapped, strict=True):
            self._stack(lines, x, top + (most - len(lines)) * self.heading * _LEADING, self.heading)
        bottom = round(top + most * self.heading * _LEADING)
        if self.texts.rows_name:
            self._stack([self.texts.rows_name], self.margin, bottom - self.note * _LEADING, self.note, soft=True)
        return bottom + round(self.heading * 0.3)

    def _row_headings(self, rows: Sequence[int]) -> None:
        """Each in the middle beside its boxes."""
        most = max(int(self.box[1] / (self.heading * _LEADING)), 1)
        for y, text in zip(rows, self.texts.rows, strict=False):
            lines = self.letters.lines(text, self.heading, self.beside - self.heading, most)
            self._stack(lines, self.margin, y + (self.box[1] - len(lines) * self.heading * _LEADING) / 2, self.heading)

    def _width_of_row_headings(self) -> int:
        if not self.texts.rows:
            return 0
        widths = [self.letters.width(text, self.heading) for text in self.texts.rows]
        name = self.letters.width(self.texts.rows_name, self.note)
        return round(max(min(max(widths) + 1, max(self.box[0] * 0.45, 110)), name) + self.heading)

    def _stack(self, lines: Sequence[str], x: float, top: float, size: int, soft: bool = False) -> None:
        for place, text in enumerate(lines):
            self.lines.append(Line(x, top + (place * _LEADING + 0.98) * size, text, size, soft))


def _between(least: float, wanted: float, most: float) -> int:
    return round(min(max(wanted, least), most))
