"""How many wrong tokens an address may try: enough for a person who mistypes, too few for one who guesses."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil

TRIES = 10
SECONDS = 60.0
"""So many wrong ones within this time are the last, until the first of them is as long ago."""
ADDRESSES = 1000
"""Remembered at most; the one that tried longest ago is forgotten first."""


class Patience:
    """The wrong tokens of the last minute. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds until `address` may try again; 0 when it may now."""
        tries = self._wrong.get(address)
        if tries is None or len(tries) < TRIES:
            return 0
        return max(0, ceil(tries[0] + SECONDS - self._clock()))

    def note_wrong(self, address: str) -> None:
        """`address` gave a wrong token."""
        self._wrong.setdefault(address, deque(maxlen=TRIES)).append(self._clock())
        self._wrong.move_to_end(address)
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
