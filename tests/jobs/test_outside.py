"""Jobs for providers, beside those for the workers: when they begin, how they end, and that no picture is lost."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.errors import EngineFailed, InvalidRequest, JobCancelled, ProviderFailed, QueueFull
from pipeline.events import LAST, Asked, Event
from pipeline.gallery import files
from pipeline.jobs import outside
from pipeline.jobs.job import Job
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.hosted.conftest import HostedStudio
from tests.hosted.mill import MODEL, RECORDS, Held, Mill, add_records, as_ordered, install, refusing

REQUEST = GenerationRequest(prompt="a boat", model=MODEL, seed=7)
HERE = GenerationRequest(prompt="a house", model="tiny")
OTHER = RECORDS.replace("mill", "wind").replace("Mill", "Wind").replace('adapter = "wind"', 'adapter = "mill"')


@pytest.fixture
def mill(monkeypatch: pytest.MonkeyPatch) -> Mill:
    return install(monkeypatch)


@pytest.fixture
def settings(make_settings: Callable[..., Settings], mill: Mill) -> Settings:
    return add_records(make_settings(hosted_jobs=2), RECORDS + OTHER)


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    """A studio without workers: what is for them waits."""
    with HostedStudio(settings) as studio:
        yield studio


@pytest.fixture
def held(mill: Mill) -> Iterator[Held]:
    """The first call comes when it is let go, and so it does after the test; all others come at once."""
    held = Held()
    mill.answers(held, as_ordered)
    yield held
    held.let_go()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A studio that waits for nothing when it ends."""
    monkeypatch.setattr(outside, "PATIENCE", 0.0)


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Meanwhile the disk takes no picture."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_picture", refuse)
        yield


def end_of(job: Job) -> Event:
    return [event for event in job.events() if isinstance(event, LAST)][-1]


def threads_of(job: Job) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == f"hosted-{job.id}"]


def join(job: Job) -> None:
    """Wait for what is still done for a job that has ended."""
    for thread in threads_of(job):
        thread.join()


# -- lanes ------------------------------------------------------------------------------------------------------


def test_a_hosted_job_does_not_wait_for_those_of_the_workers(studio: Studio) -> None:
    waiting = studio.submit(HERE)
    assert len(studio.submit(REQUEST).result()) == 1
    assert waiting.state.status == "queued"
    waiting.cancel()


def test_places_are_counted_in_each_lane(studio: Studio, mill: Mill) -> None:
    held = Held()
    mill.answers(held)
    jobs = [studio.submit(request) for request in (REQUEST, REQUEST, HERE, REQUEST, HERE, REQUEST)]
    assert [job.state.position for job in jobs] == [None, None, 1, 1, 2, 2]
    jobs[3].cancel()
    assert [job.state.position for job in jobs] == [None, None, 1, None, 2, 1]
    held.let_go()
    assert len(jobs[5].result()) == 1


def test_each_provider_has_so_many_jobs_in_hand_and_no_more(studio: Studio, mill: Mill) -> None:
    held = Held()
    mill.answers(held)
    jobs = [studio.submit(REQUEST) for _ in range(3)]
    others = [studio.submit(REQUEST.model_copy(update={"model": "wind/wheel"})) for _ in range(3)]
    begun = [job.state.status != "queued" for job in (*jobs, *others)]
    assert begun == [True, True, False] * 2
    held.let_go()
    assert all(end_of(job).type == "finished" for job in (*jobs, *others))


def test_an_estimate_says_whether_a_provider_would_be_asked_at_once(studio: Studio, mill: Mill) -> None:
    held = Held()
    mill.answers(held)
    assert studio.estimate(REQUEST).waits == 0
    jobs = [studio.submit(REQUEST) for _ in range(2)]
    assert studio.estimate(REQUEST).waits is None
    held.let_go()
    assert all(end_of(job).type == "finished" for job in jobs)
    assert studio.estimate(REQUEST).waits == 0


class BrokenStudio(Studio):
    """A studio whose workers end before they are ready."""

    def _worker_environments(self) -> list[Mapping[str, str]]:
        return [{"PYTHONHOME": "/nowhere"}]


def test_an_engine_that_cannot_start_ends_the_workers_jobs_alone(settings: Settings, held: Held) -> None:
    with BrokenStudio(settings) as studio:
        hosted, here = studio.submit(REQUEST), studio.submit(HERE)
        with pytest.raises(EngineFailed):
            here.result()
        held.let_go()
        assert len(hosted.result()) == 1
        assert len(studio.submit(REQUEST).result()) == 1


def test_jobs_of_all_lanes_fill_the_queue_together(make_settings: Callable[..., Settings], held: Held) -> None:
    tight = add_records(make_settings(hosted_jobs=1, max_queue=3, max_queue_per_client=2))
    with HostedStudio(tight) as studio:
        jobs = [studio.submit(request) for request in (REQUEST, REQUEST, HERE)]
        with pytest.raises(QueueFull, match="2 of your jobs"):
            studio.submit(REQUEST)
        jobs.append(studio.submit(REQUEST, client="ben"))
        with pytest.raises(QueueFull, match="3 jobs are waiting"):
            studio.submit(HERE, client="cat")
        held.let_go()
        assert all(end_of(job).type == "finished" for job in jobs if job.state.model == MODEL)


def test_the_same_key_gives_the_same_job_and_orders_once(studio: Studio, mill: Mill) -> None:
    first, second = (studio.submit(REQUEST, idempotency_key="once") for _ in range(2))
    assert first.id == second.id
    assert len(first.result()) == 1
    assert len(mill.calls) == 1
    with pytest.raises(InvalidRequest, match="used for another request"):
        studio.submit(REQUEST.model_copy(update={"prompt": "a ship"}), idempotency_key="once")


# -- how it goes ------------------------------------------------------------------------------------------------


def test_a_job_tells_that_it_is_asked_for_then_each_picture_then_its_end(studio: Studio, held: Held) -> None:
    job = studio.submit(REQUEST.model_copy(update={"num_images": 2}))
    events = iter(job.events())
    asked = next(event for event in events if isinstance(event, Asked))
    assert (asked.provider, asked.image_index, asked.count, asked.attempt) == ("The Mill", 0, 2, 1)
    assert (job.state.status, job.state.progress.provider) == ("running", "The Mill")
    assert "provider='The Mill'" in repr(job.state)
    held.let_go()
    assert [event.type for event in events] == ["saved", "saved", "finished"]


def test_what_an_adapter_tells_reaches_those_who_watch(studio: Studio, mill: Mill) -> None:
    def telling(call: Any, watch: Any) -> Any:
        watch.preview(b"jpeg")
        watch.warn("The Mill grinds slowly.")
        watch.again(2)
        return as_ordered(call, watch)

    mill.answers(telling)
    job = studio.submit(REQUEST)
    assert [event.attempt for event in job.events() if isinstance(event, Asked)][-1] == 2
    assert job.preview == b"jpeg"
    assert job.state.warnings[-1] == "The Mill grinds slowly."


def test_the_log_says_what_happened_and_neither_the_prompt_nor_what_a_provider_quotes(
    settings: Settings, mill: Mill
) -> None:
    request = GenerationRequest(prompt="a secret boat", model=MODEL, options={"quality": "high"}, num_images=3)
    mill.answers(as_ordered, refusing(ProviderFailed("The Mill says “no secret boat”.")))
    with HostedStudio(settings, persistent=True) as studio:
        job = studio.submit(request)
        assert end_of(job).type == "failed"
        text = "\n".join(line.text for line in studio.log(job.id))
    assert "options {'quality': 'high'}" in text
    assert "Begun by mill\nThe Mill is asked\nPicture 1 saved" in text
    assert "Failed (provider_failed): The Mill says “…”." in text
    assert "secret boat" not in text
    assert "secret boat" not in (settings.data_folder / "studio.log").read_text()


def test_what_goes_wrong_in_the_studio_itself_ends_the_job(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(studio.gallery, "of_job", refuse)
    job = studio.submit(REQUEST)
    with pytest.raises(EngineFailed, match="RuntimeError"):
        job.result()
    assert "A hosted job failed" in caplog.text


# -- cancelled --------------------------------------------------------------------------------------------------


def test_a_job_that_waits_is_cancelled_and_never_ordered(studio: Studio, mill: Mill) -> None:
    held = Held()
    mill.answers(held)
    *begun, waiting = (studio.submit(REQUEST) for _ in range(3))
    waiting.cancel()
    held.let_go()
    assert all(end_of(job).type == "finished" for job in begun)
    assert end_of(waiting).type == "cancelled"
    assert len(mill.calls) == 2


def test_a_cancelled_job_ends_at_once_and_what_is_ordered_is_still_saved(
    studio: Studio, mill: Mill, held: Held
) -> None:
    job = studio.submit(REQUEST.model_copy(update={"num_images": 5}))
    mill.called.acquire()
    job.cancel()
    with pytest.raises(JobCancelled):
        job.result()
    assert not studio.queue()
    held.let_go()
    join(job)
    assert [image.index for image in studio.gallery.of_job(job.id)] == [0, 1]
    assert len(mill.calls) == 1, "nothing more is ordered"
    assert job.state.status == "cancelled"


def test_a_cancelled_job_makes_room_for_the_next(studio: Studio, mill: Mill) -> None:
    held = Held()
    mill.answers(held, held, as_ordered)
    jobs = [studio.submit(REQUEST) for _ in range(3)]
    mill.called.acquire()
    mill.called.acquire()
    jobs[0].cancel()
    assert len(jobs[2].result()) == 1
    held.let_go()
    assert len(jobs[1].result()) == 1


# -- a disk that is full ----------------------------------------------------------------------------------------


def test_a_picture_that_the_disk_refuses_is_kept_twice_and_saved_at_the_next_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HostedStudio(settings, persistent=True) as studio:
        with full_disk(monkeypatch):
            [image] = (job := studio.submit(REQUEST)).result()
        assert image.path is None
        assert "kept in memory" in image.unsaved
        assert studio.gallery.png(image.id)
        receipt = settings.data_folder / "hosted" / f"{job.id}-0.file"
        assert receipt.exists()
    with HostedStudio(settings, persistent=True) as again:
        [found] = again.gallery.of_job(job.id)
        assert found.path is not None
        assert (found.recipe.sha256, found.seed) == (image.recipe.sha256, 7)
        assert not receipt.exists()


def test_what_was_saved_in_the_end_is_not_saved_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with HostedStudio(settings, persistent=True) as studio:
        with full_disk(monkeypatch):
            job = studio.submit(REQUEST)
            job.result()
        assert len(studio.gallery.retry_unsaved()) == 1
    with HostedStudio(settings, persistent=True) as again:
        assert len(again.gallery.recent()) == 1
        assert not list((settings.data_folder / "hosted").glob(f"{job.id}*"))


def test_a_studio_beside_another_leaves_alone_what_that_one_is_about_to_save(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HostedStudio(settings, persistent=True) as studio:
        with full_disk(monkeypatch):
            job = studio.submit(REQUEST)
            job.result()
        with HostedStudio(settings) as beside:
            assert not beside.gallery.of_job(job.id)
        assert (settings.data_folder / "hosted" / f"{job.id}-0.file").exists()


# -- the end of the studio --------------------------------------------------------------------------------------


def test_what_is_ordered_is_waited_for_when_the_studio_ends(settings: Settings, mill: Mill) -> None:
    studio = HostedStudio(settings, persistent=True)
    ending = threading.Event()

    def slowly(call: Any, watch: Any) -> Any:
        ending.wait()
        return as_ordered(call, watch)

    mill.answers(slowly)
    job = studio.submit(REQUEST)
    mill.called.acquire()
    closing = threading.Thread(target=studio.close)
    closing.start()
    ending.set()
    closing.join()
    with HostedStudio(settings, persistent=True) as again:
        assert len(again.job(job.id).result()) == 1
    assert len(mill.calls) == 1


def test_a_job_with_more_to_order_goes_on_at_the_next_start(
    settings: Settings, mill: Mill, held: Held, impatient: None
) -> None:
    studio = HostedStudio(settings, persistent=True)
    job = studio.submit(REQUEST.model_copy(update={"num_images": 3}))
    waiting = [studio.submit(REQUEST) for _ in range(2)]
    mill.called.acquire()
    studio.close()
    held.let_go()
    join(job)
    with HostedStudio(settings, persistent=True) as again:
        ends = [end_of(again.job(one.id)).type for one in (job, *waiting)]
    assert ends == ["finished"] * 3


def test_a_studio_ends_although_a_provider_hangs_and_orders_nothing_twice(
    settings: Settings, mill: Mill, held: Held, impatient: None
) -> None:
    studio = HostedStudio(settings, persistent=True)
    job = studio.submit(REQUEST)
    mill.called.acquire()
    studio.close()
    with (
        HostedStudio(settings, persistent=True) as again,
        pytest.raises(ProviderFailed, match="ended while The Mill was making this picture"),
    ):
        again.job(job.id).result()
    assert len(mill.calls) == 1


def test_an_order_that_the_provider_knows_is_taken_up_at_the_next_start(
    settings: Settings, mill: Mill, impatient: None
) -> None:
    hanging = Held(task="t-1")
    mill.answers(hanging, as_ordered)
    studio = HostedStudio(settings, persistent=True)
    job = studio.submit(REQUEST)
    hanging.begun.wait()
    studio.close()
    with HostedStudio(settings, persistent=True) as again:
        assert len(again.job(job.id).result()) == 1
    assert [call.task for call in mill.calls] == ["", "t-1"]
    hanging.let_go()
    join(job)


def test_a_picture_that_comes_too_late_is_in_the_gallery_after_the_next_start(
    settings: Settings, mill: Mill, held: Held, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    studio = HostedStudio(settings)
    job = studio.submit(REQUEST)
    mill.called.acquire()
    studio.close()
    with caplog.at_level(logging.CRITICAL):
        held.let_go()
        join(job)
    with HostedStudio(settings) as again:
        assert [image.job_id for image in again.gallery.recent()] == [job.id]


def test_the_jobs_of_a_private_studio_are_cancelled_when_it_ends(
    settings: Settings, mill: Mill, held: Held, impatient: None
) -> None:
    studio = HostedStudio(settings)
    jobs = [studio.submit(REQUEST) for _ in range(3)]
    mill.called.acquire()
    ends: list[Event] = []
    watching = [threading.Thread(target=lambda job=job: ends.append(end_of(job))) for job in jobs]
    for thread in watching:
        thread.start()
    studio.close()
    held.let_go()
    for thread in watching:
        thread.join()
    assert {one.type for one in ends} <= {"cancelled", "finished"}
    assert "cancelled" in {one.type for one in ends}
