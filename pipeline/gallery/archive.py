"""Many files as one ZIP, made while it is sent: nothing is compressed, and only a piece of it is ever in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.events import SavedImage
from pipeline.gallery.metadata import a1111_text

_PIECE = 2**18
_YEARS = (1980, 2107)
"""The years that a ZIP can tell."""


class Entry(NamedTuple):
    """One file of an archive."""

    name: str
    made: datetime
    content: bytes | Path


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The bytes of a ZIP, piece by piece. A name that is taken gets a number. Raises `OSError` for a file that cannot
    be read."""
    sink, taken = _Sink(), set[str]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            name = _free(entry.name, taken)
            taken.add(name.casefold())
            with archive.open(_info(name, entry), "w") as member:
                for piece in _pieces(entry.content):
                    member.write(piece)
                    yield sink.take()
    yield sink.take()


def entries_of(image: SavedImage, png: Callable[[], bytes]) -> Iterator[Entry]:
    """The entries of a picture: its PNG, from `png` where it is no file, and its text."""
    name = Path(image.path.name if image.path else f"{image.id}.png")
    yield Entry(name.name, image.created_at, image.path or png())
    yield Entry(name.with_suffix(".txt").name, image.created_at, a1111_text(image.recipe).encode())


class _Sink(io.RawIOBase):
    """What the ZIP has written and nobody has taken yet; it cannot be sought in, so the ZIP never goes back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = memoryview(data)  # type: ignore[arg-type]
        self._waiting += piece
        return piece.nbytes

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def _free(name: str, taken: set[str]) -> str:
    """`name`, or with a number where it is taken. Some systems tell no upper from lower case, so neither does this."""
    path, number = PurePosixPath(name), 1
    while name.casefold() in taken:
        number += 1
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
    return name


def _info(name: str, entry: Entry) -> zipfile.ZipInfo:
    made = entry.made.astimezone() if _YEARS[0] < entry.made.year < _YEARS[1] else datetime(_YEARS[0], 1, 1)
    info = zipfile.ZipInfo(name, (made.year, made.month, made.day, made.hour, made.minute, made.second))
    info.external_attr = 0o644 << 16
    info.file_size = entry.content.stat().st_size if isinstance(entry.content, Path) else len(entry.content)
    return info


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
