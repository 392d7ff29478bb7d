"""Gives freed main memory back to the system, which glibc otherwise keeps for later."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's parameters (mallopt(3))."""
_SMALL, _LARGE = 2**20, 2**25
"""Bytes from which on a piece of memory goes back by itself as soon as it is freed: while loading, and else, where it
is what glibc arrives at on its own."""


@contextmanager
def returning() -> Iterator[None]:
    """While large pieces are converted one after another: give each back at once, and at the end all that is free.

    Otherwise the peak depends on how the pieces happen to lie, and can be twice as high.
    """
    _set(_MMAP_THRESHOLD, _SMALL)
    try:
        yield
    finally:
        _set(_MMAP_THRESHOLD, _LARGE)
        _set(_TRIM_THRESHOLD, 2 * _LARGE)
        give_back()


def give_back() -> None:
    """Give back what is free now."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _set(parameter: int, value: int) -> None:
    library = _glibc()
    if library is not None:
        library.mallopt(parameter, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc: others have neither the habit nor the calls."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
