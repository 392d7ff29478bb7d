"""Listeners hear every event once, also those who come late or come back."""

from pipeline.events import Event, Finished, Loading, Queued, Step, Warned
from pipeline.jobs.feed import KEPT, Feed

Numbered = tuple[int, Event]


def step(number: int) -> Step:
    return Step(image_index=0, step=number, total=9, seconds_left=1.0)


def test_a_listener_hears_events_in_order_until_it_stops() -> None:
    feed, heard = Feed(), list[Numbered]()
    stop = feed.listen("job", heard.append)
    feed.publish("job", Queued(position=2))
    feed.publish("job", Queued(position=1))
    stop()
    feed.publish("job", Finished())
    assert heard == [(1, Queued(position=2)), (2, Queued(position=1))]


def test_a_late_listener_gets_the_story_in_short() -> None:
    feed, heard = Feed(), list[Numbered]()
    loading = Loading(component="vae", done=0, total=1)
    for event in (Queued(position=1), loading, Warned(message="hm"), step(1), step(2)):
        feed.publish("job", event)
    feed.listen("job", heard.append)
    assert [event for _, event in heard] == [Queued(position=1), loading, Warned(message="hm"), step(2)]


def test_a_listener_that_comes_back_hears_only_what_it_missed() -> None:
    feed, heard = Feed(), list[Numbered]()
    feed.publish("job", Warned(message="one"))
    feed.publish("job", Warned(message="two"))
    feed.listen("job", heard.append, after=1)
    assert heard == [(2, Warned(message="two"))]


def test_a_story_that_ended_always_gives_its_end() -> None:
    feed, heard = Feed(), list[Numbered]()
    feed.publish("job", Finished())
    feed.listen("job", heard.append, after=99)
    assert heard == [(1, Finished())]


def test_jobs_do_not_hear_each_others_events() -> None:
    feed, heard = Feed(), list[Numbered]()
    feed.listen("mine", heard.append)
    feed.publish("other", Finished())
    assert heard == []


def test_only_the_newest_ended_stories_are_kept() -> None:
    feed = Feed()
    feed.publish("running", step(1))
    for number in range(KEPT + 1):
        feed.publish(f"job{number}", Finished())
    assert not feed.knows("job0")
    assert feed.knows("job1")
    assert feed.knows("running")
