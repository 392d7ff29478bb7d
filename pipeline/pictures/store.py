"""Pictures that requests bring along, kept under the hash of their pixels: `outputs/.darkroom/inputs/{id}.png`.

The same pixels are kept once, and a request that names them means the same picture for ever.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from PIL import Image

from pipeline.errors import NotFound, OutputUnwritable
from pipeline.inputs import INPUT_ID

LIFETIME = 30 * 86_400.0
"""Seconds for which a picture stays after the last use of it."""
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for a file that is not here or not what was kept."""
_ID = re.compile(INPUT_ID)


def input_id(image: Image.Image) -> str:
    """The name of these pixels; `image` has mode RGB or L."""
    return f"{hashlib.sha256(image.tobytes()).hexdigest()}-{image.width}x{image.height}"


class InputStore:
    """A folder of pictures by their pixels. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, image: Image.Image) -> str:
        """Keep `image` (mode RGB or L) and return its id; what is here and whole is not written again.

        Raises `OutputUnwritable` when the disk refuses.
        """
        name = input_id(image)
        path = self.path(name)
        try:
            if self._is_whole(name):
                os.utime(path)
            else:
                _write(path, image)
        except OSError as error:
            message = f"The picture cannot be kept in {self.folder}: {error.strerror or error}."
            raise OutputUnwritable(message, "Free some space at DARKROOM_OUTPUTS, or set it elsewhere.") from None
        return name

    def has(self, name: str) -> bool:
        """Whether a picture is here."""
        return bool(_ID.fullmatch(name)) and self.path(name).is_file()

    def get(self, name: str) -> Image.Image:
        """The picture with that id, as it was kept. Raises `NotFound` when it is not here or was changed."""
        remedy = "Bring the picture along once more."
        try:
            with Image.open(self.path(name), formats=["PNG"]) as image:
                image.load()
        except _DAMAGED:
            raise NotFound("A picture that this needs is not kept any more.", remedy, field="image") from None
        if input_id(image) != name:
            raise NotFound("A picture that this needs was changed on the disk.", remedy, field="image")
        return image

    def path(self, name: str) -> Path:
        """Where the picture is, or would be. Raises `NotFound` for what is no id: no name leads out of the folder."""
        if not _ID.fullmatch(name):
            raise NotFound("That is not the id of a picture that was brought along.", "Upload it first.", field="image")
        return self.folder / f"{name}.png"

    def clean(self, used: Collection[str]) -> None:
        """Remove what has not been put, nor been among `used` at a cleaning, for `LIFETIME`."""
        oldest = time.time() - LIFETIME
        for path in (*self.folder.glob("*.png"), *self.folder.glob(".*.part")):
            with suppress(OSError):
                if path.stem in used:
                    os.utime(path)
                elif path.stat().st_mtime < oldest:
                    path.unlink()

    def _is_whole(self, name: str) -> bool:
        try:
            self.get(name)
        except NotFound:
            return False
        return True


def _write(path: Path, image: Image.Image) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    part = path.with_name(f".{os.getpid()}-{time.monotonic_ns()}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
