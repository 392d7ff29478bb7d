"""Asking again: how often, after which pauses, and when no more; waiting for room. No pause is really waited for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from pipeline.errors import ProviderFailed, QuotaExceeded
from pipeline.events import Asked, Event
from pipeline.hosted.call import Crowded, Stopped, Transient
from pipeline.hosted.retry import ATTEMPTS, LONGEST, LOOK, in_turn, patiently
from tests.hosted.conftest import Told

BUSY = ProviderFailed("It cannot make it now.", "Try again.")


@pytest.fixture
def pauses(told: Told, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, of which none is waited for."""
    waited: list[float] = []

    def wait(seconds: float) -> None:
        told.watch.check()
        waited.append(seconds)

    monkeypatch.setattr(told.watch, "wait", wait)
    return waited


def failing(times: int, retry_after: float | None = None, kind: type[Transient] = Transient) -> Callable[[], str]:
    """Busy so many times, then not."""
    left = iter(range(times))

    def ask() -> str:
        if next(left, None) is not None:
            raise kind(BUSY, retry_after)
        return "made"

    return ask


def attempts(events: list[Event]) -> list[int]:
    return [event.attempt for event in events if isinstance(event, Asked)]


def test_what_comes_at_once_is_asked_for_once(told: Told, pauses: list[float]) -> None:
    assert patiently(told.watch, failing(0)) == "made"
    assert (pauses, told.events) == ([], [])


def test_a_busy_provider_is_asked_again_after_pauses_that_may_grow(told: Told, pauses: list[float]) -> None:
    assert patiently(told.watch, failing(ATTEMPTS - 1)) == "made"
    assert all(0 <= pause <= 2**place for place, pause in enumerate(pauses))
    assert attempts(told.events) == [2, 3, 4, 5]


def test_it_is_asked_again_after_as_long_as_it_says(told: Told, pauses: list[float]) -> None:
    assert patiently(told.watch, failing(2, retry_after=LONGEST)) == "made"
    assert pauses == [LONGEST, LONGEST]


def test_who_wants_to_be_left_alone_for_longer_is_not_asked_again(told: Told, pauses: list[float]) -> None:
    with pytest.raises(ProviderFailed, match="cannot make it now"):
        patiently(told.watch, failing(1, retry_after=LONGEST + 1))
    assert (pauses, told.events) == ([], [])


def test_who_stays_busy_is_given_up_with_its_own_error(told: Told, pauses: list[float]) -> None:
    with pytest.raises(ProviderFailed) as raised:
        patiently(told.watch, failing(ATTEMPTS))
    assert raised.value is BUSY
    assert len(pauses) == ATTEMPTS - 1
    assert attempts(told.events) == [2, 3, 4, 5], "no attempt is told that is not made"


def test_any_other_error_is_final(told: Told, pauses: list[float]) -> None:
    def ask() -> str:
        raise QuotaExceeded("Nothing is left.")

    with pytest.raises(QuotaExceeded):
        patiently(told.watch, ask)
    assert not pauses


def test_a_job_that_is_cancelled_in_a_pause_asks_no_more(told: Told) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        told.stop.set()
        raise Transient(BUSY, retry_after=LONGEST)

    with pytest.raises(Stopped):
        patiently(told.watch, ask)
    assert asked == [1]


# -- waiting for room ---------------------------------------------------------------------------------------------


def crowded(events: list[Event]) -> list[bool]:
    return [event.crowded for event in events if isinstance(event, Asked)]


def test_where_there_is_room_nobody_waits_and_nothing_is_told(told: Told, pauses: list[float]) -> None:
    assert in_turn(told.watch, failing(0), 600) == "made"
    assert (pauses, told.events) == ([], [])


def test_room_is_waited_for_longer_than_a_busy_provider_and_told_once(told: Told, pauses: list[float]) -> None:
    assert in_turn(told.watch, failing(10 * ATTEMPTS, kind=Crowded), 600) == "made"
    assert pauses == [LOOK] * 10 * ATTEMPTS
    assert crowded(told.events) == [True, False]
    assert told.watch.line.is_empty


def test_nothing_counts_as_ordered_while_room_is_waited_for(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    open_in_pauses: list[bool] = []
    monkeypatch.setattr(told.watch, "wait", lambda seconds: open_in_pauses.append(told.open[-1]))
    in_turn(told.watch, failing(3, kind=Crowded), 600)
    assert open_in_pauses == [False, False, False]
    assert told.open == [False, True, False, True, False, True]


def test_it_is_looked_for_room_no_sooner_than_the_provider_says(told: Told, pauses: list[float]) -> None:
    in_turn(told.watch, failing(2, retry_after=LOOK + 1, kind=Crowded), 600)
    assert pauses == [LOOK, LOOK + 1]


def test_who_waits_already_is_not_overtaken_although_there_is_room_by_now(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    def wait(seconds: float) -> None:
        looks.append(earlier_is_first())
        if len(looks) == 3:
            leave.close()

    leave = ExitStack()
    earlier_is_first = leave.enter_context(told.watch.line.place())
    monkeypatch.setattr(told.watch, "wait", wait)
    assert in_turn(told.watch, lambda: f"made after {len(looks)} looks", 600) == "made after 3 looks"
    assert looks == [True, True, True]


def test_room_that_never_comes_is_given_up_and_the_next_in_line_may_look(told: Told, pauses: list[float]) -> None:
    with pytest.raises(ProviderFailed) as raised:
        in_turn(told.watch, failing(3, kind=Crowded), 0)
    assert raised.value is BUSY
    assert told.watch.line.is_empty


def test_a_job_that_is_cancelled_in_line_leaves_it_and_asks_no_more(told: Told) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        told.stop.set()
        raise Crowded(BUSY)

    with pytest.raises(Stopped):
        in_turn(told.watch, ask, 600)
    assert asked == [1]
    assert told.watch.line.is_empty


def test_trouble_in_between_is_retried_as_ever_and_what_is_told_stays_true(told: Told, pauses: list[float]) -> None:
    failures = iter([Crowded(BUSY), Crowded(BUSY), Transient(BUSY), Crowded(BUSY)])

    def ask() -> str:
        if failure := next(failures, None):
            raise failure
        return "made"

    assert patiently(told.watch, lambda: in_turn(told.watch, ask, 600)) == "made"
    told_of = [(event.attempt, event.crowded) for event in told.events if isinstance(event, Asked)]
    assert told_of == [(1, True), (2, False), (1, True), (1, False)]
