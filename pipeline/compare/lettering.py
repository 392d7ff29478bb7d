"""Letters on a sheet: measured, broken into lines, and drawn with fonts that have them.

Pillow brings one font of its own, with hardly more than English in it. For other characters the fonts of the machine
are asked, one after the other. What none of them has is written plainly (ä as a) or as a question mark, never as an
empty box, and `is_complete` is false.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

_SYSTEM = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc"),
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc"),
    *("msyh.ttc", "msgothic.ttc", "malgun.ttf", "Arial Unicode.ttf", "NotoSansArabic-Regular.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf"),
    *("NotoEmoji-Regular.ttf", "Symbola.ttf", "seguisym.ttf", "Apple Symbols.ttf"),
)
"""Fonts of the usual systems by file name, those with most of the world's Latin, Greek and Cyrillic first."""

UNBROKEN = "\N{NO-BREAK SPACE}"
"""A space at which no line ends."""

_PLAIN = str.maketrans({"×": "x", "–": "-", "—": "-", "−": "-", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l"})
_AS_GOOD = frozenset(("×", "–", "—", "−", UNBROKEN))
"""Characters that may be written plainly without a word."""
_UNKNOWN = "?"
_CLIP = "…"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Lettering:
    """Draws texts with the font that has most of their characters, and with others where it has none."""

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` are all that will be drawn, so that they look alike."""
        characters = Counter(character for text in texts for character in clean(text))
        self._faces = _faces(frozenset(characters))
        self._known = {character: self._find(character) for character in {*characters, _CLIP}}
        self.is_complete = all(self._known[each][1] == each for each in characters if each not in _AS_GOOD)
        """Whether every character is drawn as it is."""

    def width(self, text: str, size: int) -> float:
        """Width of one line in pixels."""
        return sum(_font(face, size).getlength(run) for face, run in self._runs(text))

    def lines(self, text: str, size: int, width: float, most: int) -> list[str]:
        """The text in lines no wider than `width`, at most so many; the last one ends in … if there is more."""
        found: list[str] = []
        for word in self._words(clean(text), size, width):
            longer = f"{found[-1]} {word}" if found else word
            if found and self.width(longer, size) <= width:
                found[-1] = longer
            elif len(found) < most:
                found.append(word)
            else:
                return [*found[:-1], self._clipped(found[-1], size, width)]
        return found

    def draw(self, on: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, ink: str) -> None:
        """Write one line whose first letter stands at `place`, on its baseline."""
        x, y = place
        for face, run in self._runs(text):
            font = _font(face, size)
            on.text((x, y), run, font=font, fill=ink, anchor="ls")
            x += font.getlength(run)

    def _words(self, text: str, size: int, width: float) -> Iterator[str]:
        """The words of the text; one that is too wide comes in pieces."""
        for word in filter(None, text.split(" ")):
            rest = word
            while self.width(rest, size) > width and len(rest) > 1:
                fits = self._fitting(rest, size, width)
                yield rest[:fits]
                rest = rest[fits:]
            yield rest

    def _fitting(self, word: str, size: int, width: float) -> int:
        """How many characters of the word fit, at least one: the largest number, by halving."""
        low, high = 1, min(len(word), int(width / size * 6) + 1)  # no letter is narrower than a sixth of its height
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(word[:middle], size) <= width else (low, middle - 1)
        return low

    def _clipped(self, line: str, size: int, width: float) -> str:
        while line and self.width(f"{line}{_CLIP}", size) > width:
            line = line[:-1]
        return f"{line.rstrip(' ,.;:')}{_CLIP}"

    def _runs(self, text: str) -> Iterator[tuple[str, str]]:
        """Stretches of the text, each with the face that has its characters."""
        current, run = self._faces[0], ""
        for character in clean(text):
            face, shown = self._known.get(character) or self._find(character)
            if face != current and run:
                yield current, run
                run = ""
            current, run = face, run + shown
        if run:
            yield current, run

    def _find(self, character: str) -> tuple[str, str]:
        """The face that has the character, and how it is written with it."""
        for written in (character.replace(UNBROKEN, " "), _plain(character), _UNKNOWN):
            for face in self._faces:
                if written and all(_has(face, part) for part in written):
                    return face, written
        return self._faces[0], _UNKNOWN


def clean(text: str) -> str:
    """The text on one line, without characters that are not seen."""
    line = re.sub(rf"[^\S{UNBROKEN}]+", " ", unicodedata.normalize("NFC", text)).strip()
    return "".join(character for character in line if unicodedata.category(character)[0] != "C")


def _plain(character: str) -> str:
    """A character without its marks: ä → a, ½ → 1⁄2; nothing where there is no plainer one."""
    taken_apart = unicodedata.normalize("NFKD", character.translate(_PLAIN))
    return "".join(part for part in taken_apart if not unicodedata.combining(part))


def _faces(characters: frozenset[str]) -> tuple[str, ...]:
    """The faces that are needed, the one with most of the characters first. Pillow's own has the empty name."""
    if _lacking("", characters) <= _AS_GOOD:
        return ("",)
    known = ["", *(name for name in _SYSTEM if _exists(name))]
    first = min(known, key=lambda face: len(_lacking(face, characters)))
    rest = _lacking(first, characters)
    return (first, *(face for face in known if face != first and len(_lacking(face, rest)) < len(rest)))


def _lacking(face: str, characters: Iterable[str]) -> set[str]:
    return {character for character in characters if not _has(face, character)}


@cache
def _exists(name: str) -> bool:
    try:
        ImageFont.truetype(name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _font(face: str, size: int) -> Font:
    return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _has(face: str, character: str) -> bool:
    """Whether the face has a glyph: one that is missing looks like that of a character that never exists."""
    return character.isspace() or _glyph(face, character) != _glyph(face, "\U0010ffff")


def _glyph(face: str, character: str) -> bytes:
    """The glyph as it is painted, 48 × 48 values."""
    sheet = Image.new("L", (48, 48))
    ImageDraw.Draw(sheet).text((8, 8), character, font=_font(face, 24), fill=255)
    return sheet.tobytes()
