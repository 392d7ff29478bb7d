"""Pictures for the running studio to work from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import NotFound
from pipeline.events import SavedImage
from pipeline.pictures.desk import Source, Taken, named, read_file
from pipeline.pictures.fit import Size
from pipeline.remote.connection import Connection


class RemoteDesk:
    """What `Desk` is, with the pictures sent to the running studio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, source: Source) -> Taken:
        """Send a picture to work from. Raises as `Desk.take` does, and `StudioUnreachable`."""
        return self._take(source, {"as": "image"})

    def take_mask(self, source: Source) -> Taken:
        """Send a mask, white where something is drawn anew. Raises as `take` does."""
        return self._take(source, {"as": "mask"})

    def take_edges(self, source: Source, *, size: Size) -> Taken:
        """Send a picture whose edges are followed at `size`. Raises as `take` does."""
        return self._take(source, {"as": "edges", "width": size[0], "height": size[1]})

    def named(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """As the function of that name, with this desk."""
        return named(fields, self)

    def has(self, input_id: str) -> bool:
        """Whether the studio keeps that picture."""
        try:
            self._connection.ask("GET", f"/api/v1/uploads/{input_id}")
        except NotFound:
            return False
        return True

    def _take(self, source: Source, wanted: dict[str, Any]) -> Taken:
        if isinstance(source, SavedImage):
            told = self._connection.json("POST", f"/api/v1/uploads/from-image/{source.id}", params=wanted)
        else:
            told = self._connection.json("POST", "/api/v1/uploads", params=wanted, content=_bytes(source))
        return Taken(told["id"], told["width"], told["height"], tuple(told["notes"]))


def _bytes(source: bytes | Path | Image.Image) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, Image.Image):
        file = io.BytesIO()
        source.save(file, "PNG")
        return file.getvalue()
    return read_file(source)
