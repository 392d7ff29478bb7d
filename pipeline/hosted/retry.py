"""Asking again, when a provider is busy: with growing pauses, or after as long as it says; and waiting for room, when
the account has as many tasks there as it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from pipeline.hosted.call import Crowded, Transient, Watch

ATTEMPTS = 5
LONGEST = 60.0
"""Seconds of a pause at most; a provider that asks for more is not asked again."""
LOOK = 5.0
"""Seconds between two looks for room, at least: a picture takes longer."""
T = TypeVar("T")


def patiently(watch: Watch, ask: Callable[[], T]) -> T:
    """What `ask` returns, tried again after each `Transient`; raises the error in the last one, and `Stopped`."""
    pauses = wait_random_exponential(multiplier=1, max=LONGEST / 2)

    def pause(state: RetryCallState) -> float:
        wanted = _failure(state).retry_after
        return float(pauses(state)) if wanted is None else wanted

    def give_up(state: RetryCallState) -> bool:
        return stop_after_attempt(ATTEMPTS)(state) or (_failure(state).retry_after or 0) > LONGEST

    retrying = Retrying(
        retry=retry_if_exception_type(Transient),
        wait=pause,
        stop=give_up,
        sleep=watch.wait,
        before_sleep=lambda state: watch.again(state.attempt_number + 1),
        reraise=True,
    )
    try:
        return retrying(ask)
    except Transient as error:
        raise error.error from None


def in_turn(watch: Watch, ask: Callable[[], T], patience: float) -> T:
    """What `ask` returns, tried again after each `Crowded`, first for who waited first: nobody takes the room for which
    another one has waited longer.

    The first in line waits for `patience` seconds at most. Raises the error in the last `Crowded`, and `Stopped`.
    """
    if watch.line.is_empty:
        with suppress(Crowded):
            return ask()
    watch.ordering(False)
    watch.crowded(True)
    with watch.line.place() as is_first:
        watch.wait(LOOK)
        while not is_first():
            watch.wait(LOOK)
        made = _once_there_is_room(watch, ask, patience)
    watch.crowded(False)
    return made


def _once_there_is_room(watch: Watch, ask: Callable[[], T], patience: float) -> T:
    retrying = Retrying(
        retry=retry_if_exception_type(Crowded),
        wait=lambda state: max(LOOK, _failure(state).retry_after or 0),
        stop=stop_before_delay(patience),
        sleep=watch.wait,
        before=lambda _: watch.ordering(True),
        before_sleep=lambda _: watch.ordering(False),
        reraise=True,
    )
    try:
        return retrying(ask)
    except Crowded as failure:
        raise failure.error from None


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds after which a provider asks to be asked again, by the headers of its answer (names in small letters): as
    `retry-after-ms`, or as `retry-after` in seconds or as a date; None where it says nothing."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        with suppress(ValueError):
            return max(0.0, float(headers.get(name, "")) / unit)
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    return None


def _failure(state: RetryCallState) -> Transient:
    failure = state.outcome.exception() if state.outcome else None
    if not isinstance(failure, Transient):
        raise TypeError("Only what may be tried again is waited for.")
    return failure
