"""What a worker prints: read as it comes, and the end of it kept."""

from __future__ import annotations

import threading
from collections import deque
from typing import IO

KEPT_LINES = 200
_LONGEST = 4096
"""Bytes of a line that are kept together."""


class Printed:
    """The last lines of a stream. For any thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read `stream` until it ends, on a thread of its own."""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        self._count = 0
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """How many lines there were so far."""
        return self._count

    def since(self, count: int) -> list[str]:
        """The lines that came after the first `count`, as far as they are kept."""
        with self._lock:
            fresh = min(self._count - count, len(self._lines))
            return list(self._lines)[len(self._lines) - fresh :]

    def tail(self, length: int, timeout: float) -> str:
        """The last `length` characters, once the stream has ended or after `timeout` seconds."""
        self._thread.join(timeout)
        with self._lock:
            return "\n".join(self._lines)[-length:]

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LONGEST):
                words = line.decode(errors="replace").rstrip("\r\n").rsplit("\r", 1)[-1]  # of a bar its last state
                with self._lock:
                    self._lines.append(words)
                    self._count += 1
