"""Event loops for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

R = TypeVar("R")


def in_a_loop(work: Coroutine[Any, Any, R]) -> R:
    """What `work` gives, run in an event loop on a thread of its own: on this one Playwright may have left its own
    running, beside which asyncio starts no other."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()
