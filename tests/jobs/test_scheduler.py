"""Who is next: fair between clients, thrifty with model changes."""

from datetime import UTC, datetime, timedelta

from pipeline.jobs.scheduler import PATIENCE, Waiting, choose, order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def waiting(*jobs: tuple[str, str], since: datetime = NOW) -> list[Waiting]:
    """Jobs in the order of their arrival, each given as (client, model)."""
    return [Waiting(number, f"job{number}", client, model, since) for number, (client, model) in enumerate(jobs)]


def ids(jobs: list[Waiting]) -> list[str]:
    return [job.job_id for job in jobs]


def test_an_empty_queue_has_no_next_job() -> None:
    assert choose([], {}, None, NOW) is None


def test_one_clients_jobs_keep_their_order() -> None:
    jobs = waiting(("ann", "demo"), ("ann", "demo"), ("ann", "demo"))
    assert ids(order(reversed(jobs), {}, None, NOW)) == ["job0", "job1", "job2"]


def test_a_hundred_jobs_of_one_client_do_not_starve_the_single_one_of_another() -> None:
    jobs = waiting(*[("ann", "demo")] * 100, ("ben", "demo"))
    assert ids(order(jobs, {"ann": 7}, "demo", NOW))[0] == "job100"


def test_clients_take_turns() -> None:
    jobs = waiting(("ann", "demo"), ("ann", "demo"), ("ben", "demo"), ("ben", "demo"))
    assert ids(order(jobs, {}, None, NOW)) == ["job0", "job2", "job1", "job3"]


def test_a_job_for_the_loaded_model_overtakes_one_that_needs_another() -> None:
    jobs = waiting(("ann", "large"), ("ben", "demo"))
    assert ids(order(jobs, {}, "demo", NOW)) == ["job1", "job0"]


def test_a_job_never_overtakes_its_own_clients_earlier_one() -> None:
    jobs = waiting(("ann", "large"), ("ann", "demo"))
    assert ids(order(jobs, {}, "demo", NOW)) == ["job0", "job1"]


def test_nothing_overtakes_a_job_that_has_waited_long_enough() -> None:
    jobs = [*waiting(("ann", "large"), since=NOW - PATIENCE), Waiting(9, "job9", "ben", "demo", NOW)]
    assert ids(order(jobs, {}, "demo", NOW)) == ["job0", "job9"]
    assert ids(order(jobs, {}, "demo", NOW - timedelta(seconds=1))) == ["job9", "job0"]
