"""Pictures that the disk refused, kept in memory until it takes them."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipeline.events import SavedImage

LIMIT = 64
"""Pictures kept at most; beyond that the oldest is given up."""


class Kept:
    """A bounded store of encoded pictures by id. Safe to call from several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[SavedImage, bytes]] = OrderedDict()

    def put(self, image: SavedImage, png: bytes) -> None:
        with self._lock:
            self._entries[image.id] = (image, png)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def get(self, image_id: str) -> tuple[SavedImage, bytes] | None:
        with self._lock:
            return self._entries.get(image_id)

    def drop(self, image_id: str) -> None:
        with self._lock:
            self._entries.pop(image_id, None)

    def images(self) -> list[SavedImage]:
        """All of them, oldest first."""
        with self._lock:
            return [image for image, _ in self._entries.values()]
