"""Pictures that the disk refused, kept in memory until it takes them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

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

    def update(self, image_id: str, changes: dict[str, Any]) -> None:
        """Change what is known of a picture, if it is here."""
        with self._lock:
            if entry := self._entries.get(image_id):
                self._entries[image_id] = (entry[0].model_copy(update=changes), entry[1])

    def hand_over(self, image_id: str, other: Kept, **changes: Any) -> bool:
        """Move a picture to another store, changed; whether it was here."""
        entry = self.get(image_id)
        if entry is None:
            return False
        other.put(entry[0].model_copy(update=changes), entry[1])
        self.drop(image_id)
        return True

    def drop(self, image_id: str) -> None:
        with self._lock:
            self._entries.pop(image_id, None)

    def images(self) -> list[SavedImage]:
        """All of them, oldest first."""
        with self._lock:
            return [image for image, _ in self._entries.values()]
