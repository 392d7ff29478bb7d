"""The waiting line: its limits, its places, and the moves within one client's jobs."""

from __future__ import annotations

import pytest

from pipeline.errors import QueueFull
from pipeline.jobs.line import Move, WaitingLine
from pipeline.jobs.store import JobRow, JobStore
from pipeline.request import GenerationRequest


def line_of(*clients: str) -> WaitingLine:
    """Jobs named a, b, c … of these clients, in the order of their arrival."""
    line, store = WaitingLine(100, 100), JobStore(None)
    for job_id, client in zip("abcdefgh", clients, strict=False):
        line.join(row(store, job_id, client))
    line.rearrange(None)
    return line


def row(store: JobStore, job_id: str, client: str) -> JobRow:
    return store.add(job_id, client, GenerationRequest(prompt="a house"), "demo", 7, None)


def order_after(line: WaitingLine, job_id: str, to: Move) -> str:
    line.move(job_id, to)
    line.rearrange(None)
    return "".join(line.in_order())


@pytest.mark.parametrize(
    ("job", "to", "order"),
    [
        ("c", "first", "cabd"),
        ("c", "earlier", "acbd"),
        ("b", "later", "acbd"),
        ("a", "last", "bcda"),
        ("a", "earlier", "abcd"),
        ("a", "first", "abcd"),
        ("d", "later", "abcd"),
        ("d", "last", "abcd"),
    ],
)
def test_a_job_moves_among_its_clients_jobs(job: str, to: Move, order: str) -> None:
    assert order_after(line_of(*["ann"] * 4), job, to) == order


def test_a_move_changes_nothing_between_clients() -> None:
    clients = ["ann", "ben", "ann", "ben", "ann"]
    line = line_of(*clients)
    assert "".join(line.in_order()) == "abcde"
    assert order_after(line, "e", "first") == "ebadc"
    assert order_after(line, "d", "first") == "edabc"


def test_one_that_does_not_wait_is_not_moved() -> None:
    line = line_of("ann", "ann")
    line.take("a")
    assert line.move("a", "last") == {}


def test_a_newcomer_goes_behind_all_that_was_moved() -> None:
    line = line_of("ann", "ann")
    line.move("a", "last")
    store = JobStore(None)
    for job_id in "xyz":
        newest = row(store, job_id, "ann")
    line.join(newest)
    line.rearrange(None)
    assert line.in_order() == ["b", "a", "z"]


def test_only_the_jobs_of_others_that_come_first_are_counted() -> None:
    line = line_of("ben", "ben", "ann", "cat")
    assert line.in_order() == ["a", "c", "d", "b"]
    assert [line.others_before(client) for client in ("ben", "ann", "cat", "dan")] == [0, 1, 2, 4]


def test_what_would_run_before_a_new_job_is_told_fairly() -> None:
    line = line_of("ann", "ann", "ben")
    assert [row.id for row in line.before("cat", "demo", None)] == ["a", "c"]
    assert [row.id for row in line.before("ann", "demo", None)] == ["a", "c", "b"]
    assert line.in_order() == ["a", "c", "b"]


def test_the_line_is_bounded() -> None:
    line, store = WaitingLine(3, 2), JobStore(None)
    for job_id, client in zip("abc", ("ann", "ann", "ben"), strict=True):
        line.check_room(client)
        line.join(row(store, job_id, client))
    with pytest.raises(QueueFull, match="2 of your jobs"):
        line.check_room("ann")
    with pytest.raises(QueueFull, match="3 jobs are waiting"):
        line.check_room("cat")


def line_with_lanes(*jobs: tuple[str, str, str]) -> WaitingLine:
    """Jobs with their ids, clients and lanes, in the order of their arrival."""
    line, store = WaitingLine(100, 100), JobStore(None)
    for job_id, client, lane in jobs:
        line.join(row(store, job_id, client), lane)
    line.rearrange(None)
    return line


def test_each_lane_gives_its_own_next_job_and_counts_its_own_places() -> None:
    line = line_with_lanes(("a", "ann", ""), ("b", "ann", "mill"), ("c", "ann", "wind"), ("d", "ann", "mill"))
    assert line.providers == {"mill", "wind"}
    assert [line.next(None, lane) for lane in ("", "mill", "wind", "none")] == ["a", "b", "c", None]
    assert [line.place(job_id) for job_id in "abcd"] == [1, 1, 1, 2]
    assert line.in_order() == ["a", "b", "c", "d"], "those of the workers first, of all that are next"


def test_a_turn_in_one_lane_is_none_in_another() -> None:
    line = line_with_lanes(("a", "ann", "mill"), ("b", "ann", ""), ("c", "ben", ""))
    line.take("a")
    line.rearrange(None)
    assert line.next(None) == "b"


def test_clients_take_turns_with_a_provider_too() -> None:
    line = line_with_lanes(("a", "ann", "mill"), ("b", "ann", "mill"), ("c", "ben", "mill"))
    line.take("a")
    assert line.next(None, "mill") == "c"


def test_only_what_waits_for_the_workers_leaves_with_them() -> None:
    line = line_with_lanes(("a", "ann", ""), ("b", "ann", "mill"), ("c", "ben", ""))
    assert line.leave_all() == ["a", "c"]
    line.rearrange(None)
    assert line.in_order() == ["b"]


def test_jobs_for_providers_do_not_come_before_a_new_one_for_the_workers() -> None:
    line = line_with_lanes(("a", "ann", "mill"), ("b", "ann", ""))
    assert [row.id for row in line.before("ben", "demo", None)] == ["b"]


def test_jobs_of_all_lanes_count_against_the_limits() -> None:
    line, store = WaitingLine(3, 2), JobStore(None)
    line.join(row(store, "a", "ann"), "mill")
    line.join(row(store, "b", "ann"))
    with pytest.raises(QueueFull, match="2 of your jobs"):
        line.check_room("ann")
