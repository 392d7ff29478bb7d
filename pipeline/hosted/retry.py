"""Asking again, when a provider is busy: with growing pauses, or after as long as it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipeline.hosted.call import Transient, Watch

ATTEMPTS = 5
LONGEST = 60.0
"""Seconds of a pause at most; a provider that asks for more is not asked again."""
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
        after=lambda state: watch.again(state.attempt_number + 1),
        reraise=True,
    )
    try:
        return retrying(ask)
    except Transient as error:
        raise error.error from None


def _failure(state: RetryCallState) -> Transient:
    failure = state.outcome.exception() if state.outcome else None
    if not isinstance(failure, Transient):
        raise TypeError("Only what may be tried again is waited for.")
    return failure
