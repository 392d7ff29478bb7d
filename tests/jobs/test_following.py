"""The events of a job for both kinds of loops, over a real feed."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from pipeline.events import Event, Finished, Step, Warned
from pipeline.jobs.feed import Feed
from pipeline.jobs.following import Events, follow, follow_in_loop
from tests.loops import in_a_loop

STEP, LAST = Step(image_index=0, step=1, total=1, seconds_left=None), Finished()


def events_of(feed: Feed) -> Events:
    return Events(partial(feed.listen, "job"))


async def heard(events: Events) -> list[Event]:
    return [event async for event in events]


def test_both_loops_hear_the_same_and_each_from_the_beginning() -> None:
    feed = Feed()
    for event in (STEP, LAST):
        feed.publish("job", event)
    events = events_of(feed)
    assert list(events) == list(events) == in_a_loop(heard(events)) == [STEP, LAST]


def test_an_event_loop_goes_on_while_it_waits_for_a_thread() -> None:
    feed = Feed()

    async def both() -> list[Event]:
        waiting = asyncio.create_task(heard(events_of(feed)))
        await asyncio.sleep(0)  # lets it begin to listen
        worker = threading.Thread(target=lambda: [feed.publish("job", event) for event in (STEP, LAST)])
        worker.start()
        return await waiting

    assert in_a_loop(both()) == [STEP, LAST]


def test_waiting_ends_when_the_time_is_over() -> None:
    with pytest.raises(TimeoutError, match="within 0 seconds"):
        list(follow(partial(Feed().listen, "job"), timeout=0))


def test_what_was_seen_is_not_told_again() -> None:
    feed = Feed()
    for event in (Warned(message="one"), Warned(message="two"), LAST):
        feed.publish("job", event)

    async def rest() -> list[tuple[int, Event]]:
        return [numbered async for numbered in follow_in_loop(partial(feed.listen, "job"), after=2)]

    assert in_a_loop(rest()) == [(3, LAST)]
