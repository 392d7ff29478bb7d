"""The whole way of a request, with a real worker process and real files; only the checkpoint is tiny."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from PIL import Image

from pipeline.errors import (
    DarkroomError,
    FolderInUse,
    InvalidRequest,
    JobCancelled,
    NotFound,
    OutOfMemory,
    QueueFull,
    UnknownModel,
    WorkerDied,
)
from pipeline.events import Cancelled, Event, Finished, Loading, Preview, Queued, Saved, Step
from pipeline.gallery.metadata import read_recipe
from pipeline.jobs.dispatcher import Dispatcher
from pipeline.jobs.job import Job
from pipeline.jobs.log import LogLine
from pipeline.models.hardware import Device, Hardware, cpu
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.gallery.pictures import make_picture
from tests.loops import in_a_loop

MakeSettings = Callable[..., Settings]
Kind = TypeVar("Kind")
LONG = GenerationRequest(prompt="a long job", num_inference_steps=1000, seed=1)
SHORT = GenerationRequest(prompt="a short job", num_inference_steps=2, seed=5)


def wait_for(job: Job, kind: type[Kind]) -> Kind:
    """The job's first event of that kind."""
    return next(event for event in job.events() if isinstance(event, kind))


def test_a_prompt_becomes_a_file_with_its_recipe(studio: Studio) -> None:
    [image] = studio.generate("a red house", num_inference_steps=2, guidance_scale=3.0, seed=42)
    assert image.path is not None
    assert image.path.name.endswith("_seed42.png")
    assert image.path.with_suffix(".txt").exists()
    recipe = read_recipe(image.path)
    assert recipe == image.recipe
    assert (recipe.prompt, recipe.num_inference_steps, recipe.guidance_scale) == ("a red house", 2, 3.0)
    assert image.open().size == (recipe.width, recipe.height)


def test_events_tell_the_whole_story_in_order(studio: Studio) -> None:
    events = list(studio.submit(SHORT).events())
    kinds = [type(event) for event in events]
    first = {kind: kinds.index(kind) for kind in (Loading, Step, Saved, Finished)}
    assert sorted(first, key=lambda kind: first[kind]) == [Loading, Step, Saved, Finished]
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2]
    assert any(isinstance(event, Preview) and event.jpeg.startswith(b"\xff\xd8") for event in events)


def test_whoever_comes_late_finds_the_newest_preview(studio: Studio) -> None:
    job = studio.submit(SHORT)
    job.result()
    assert job.preview is not None
    assert job.preview.startswith(b"\xff\xd8")


def test_a_random_seed_is_drawn_once_and_told(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="surprise", num_inference_steps=1, num_images=2))
    images = job.result()
    assert [image.seed for image in images] == [job.state.seed, job.state.seed + 1]
    assert job.state.request.seed == -1


def test_the_same_request_gives_the_same_pixels_in_a_new_process_and_in_any_company(
    make_settings: MakeSettings,
) -> None:
    with Studio(make_settings()) as first:
        together = first.generate("same", num_inference_steps=2, seed=10, num_images=3)
    with Studio(make_settings()) as second:
        second.generate("something else before", num_inference_steps=1, seed=99)
        [alone] = second.generate("same", num_inference_steps=2, seed=12)
    assert alone.recipe.sha256 == together[2].recipe.sha256
    assert len({image.recipe.sha256 for image in together}) == 3


def test_cancelling_a_running_job_stops_it_and_the_next_one_runs(studio: Studio) -> None:
    long, short = studio.submit(LONG), studio.submit(SHORT)
    wait_for(long, Step)
    pids = studio.worker_pids
    long.cancel()
    with pytest.raises(JobCancelled):
        long.result()
    assert long.state.progress.step < 1000
    assert len(short.result()) == 1
    assert studio.worker_pids == pids


def test_cancelling_a_queued_job_never_runs_it(studio: Studio) -> None:
    long, waiting = studio.submit(LONG), studio.submit(SHORT)
    waiting.cancel()
    assert isinstance(list(waiting.events())[-1], Cancelled)
    assert waiting.state.started_at is None
    long.cancel()


def test_positions_follow_the_queue(studio: Studio) -> None:
    long = studio.submit(LONG)
    wait_for(long, Step)
    second, third = studio.submit(SHORT), studio.submit(SHORT)
    assert [state.id for state in studio.queue()] == [long.id, second.id, third.id]
    assert third.state.position == 2
    second.cancel()
    assert third.state.position == 1
    long.cancel()
    third.result()
    assert studio.queue() == []


def test_a_killed_worker_fails_its_job_keeps_its_pictures_and_is_replaced(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="doomed", num_inference_steps=40, num_images=16, seed=1))
    after = studio.submit(SHORT)
    wait_for(job, Saved)
    wait_for(job, Step)
    os.kill(studio.worker_pids[0], signal.SIGKILL)
    with pytest.raises(WorkerDied, match="ended in the middle"):
        job.result()
    assert job.state.images[0].path.exists()  # type: ignore[union-attr]
    assert job.state.request.prompt == "doomed"
    assert len(after.result()) == 1


def test_a_worker_killed_before_the_first_step_is_replaced_and_the_job_tried_again(studio: Studio) -> None:
    job = studio.submit(SHORT)
    wait_for(job, Loading)
    os.kill(studio.worker_pids[0], signal.SIGKILL)
    assert len(job.result()) == 1
    assert job.state.restarted


def test_clients_take_turns(studio: Studio) -> None:
    first = studio.submit(LONG, client="ann")
    wait_for(first, Step)
    more = [studio.submit(SHORT, client="ann") for _ in range(2)]
    other = studio.submit(SHORT, client="ben")
    assert [state.id for state in studio.queue()] == [first.id, other.id, more[0].id, more[1].id]
    first.cancel()


def test_a_waiting_job_is_moved_and_all_hear_of_it_at_once(studio: Studio) -> None:
    long = studio.submit(LONG)
    wait_for(long, Step)
    # Clients that have had no turn in another test.
    first, second, other = (studio.submit(SHORT, client=client) for client in ("ida", "ida", "jon"))
    heard: list[Event] = []
    stop = studio._dispatcher.listen(first.id, lambda numbered: heard.append(numbered[1]), 0)
    second.move("first")
    stop()
    assert [state.id for state in studio.queue()] == [long.id, second.id, other.id, first.id]
    assert heard[-1] == Queued(position=3)
    assert [state.id for state in studio.queue(client="ida")] == [second.id, first.id]
    assert (studio.others_before("ida"), studio.others_before("jon"), studio.others_before("kim")) == (1, 2, 4)
    long.move("last")
    assert studio.queue()[0].id == long.id
    long.cancel()


def test_the_order_that_a_person_chose_survives_a_restart(make_settings: MakeSettings) -> None:
    settings = make_settings(preload=False)
    before = Studio(settings, persistent=True)
    before._started = True  # so that no worker takes one of them
    jobs = [before.submit(LONG, client="ann") for _ in range(3)]
    jobs[2].move("first")
    before.close()
    with Studio(settings, persistent=True) as after:
        assert [state.id for state in after.queue()] == [jobs[2].id, jobs[0].id, jobs[1].id]


def test_a_worker_is_ended_to_give_its_memory_back_and_its_job_goes_on(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="twice", num_inference_steps=40, num_images=3, seed=1))
    first = wait_for(job, Saved)
    wait_for(job, Step)
    [before] = studio.worker_states
    studio.restart_worker()
    images = job.result()
    [after] = studio.worker_states
    assert [image.index for image in images] == [0, 1, 2]
    assert images[0].id == first.image.id
    assert job.state.restarted
    assert (after.restarts, after.pid == before.pid) == (before.restarts + 1, False)


def test_a_worker_that_was_ended_while_idle_comes_back_without_a_model(studio: Studio) -> None:
    studio.submit(SHORT).result()
    assert studio.worker_states[0].model == "tiny"
    studio.restart_worker()
    job = studio.submit(GenerationRequest(prompt="anew", num_inference_steps=1))
    assert any("loaded in" in line.text for line in log_after(studio, job))
    assert studio.worker_states[0].model == "tiny"


def log_after(studio: Studio, job: Job) -> tuple[LogLine, ...]:
    """The log of a job, once it has ended."""
    job.result()
    return studio.log(job.id)


def test_workers_are_described(studio: Studio) -> None:
    studio.submit(SHORT).result()
    [worker] = studio.worker_states
    assert (worker.status, worker.model, worker.precision, worker.job_id) == ("ready", "tiny", "none", None)
    assert worker.device.startswith(studio.engine.hardware.best.kind)
    assert worker.pid == studio.worker_pids[0]
    assert worker.memory_bytes is not None
    assert worker.memory_bytes > 50 * 10**6


def test_the_log_of_a_job_tells_what_happened(studio: Studio) -> None:
    lines = log_after(studio, studio.submit(SHORT))
    told = [line.text for line in lines if line.level == "info"]
    assert told[0] == "Queued: tiny, seed 5, num_inference_steps 2"
    assert told[1].startswith("Begun by worker 1 on ")
    assert told[-3].startswith("First step done ")
    assert told[-2].startswith("Picture 1 saved: ")
    assert told[-1].startswith("Finished ")
    assert not [words for words in told if SHORT.prompt in words]


def test_an_estimate_is_honest_and_comes_from_what_was_made_here(make_settings: MakeSettings) -> None:
    with Studio(make_settings()) as studio:
        before = studio.estimate(SHORT)
        assert (before.seconds, before.waits, before.basis) == (None, 0.0, "not known before the first picture")
        assert before.memory_bytes == studio.plan(SHORT).peak_device_bytes
        [image] = studio.submit(SHORT).result()
        ten = SHORT.model_copy(update={"num_images": 10})
        after = studio.estimate(ten)
        assert after.seconds == pytest.approx(10 * image.recipe.seconds)
        assert after.basis.startswith("from 1 earlier picture with this model here")
        assert studio.estimate(GenerationRequest(prompt="other", model="plain")).seconds is None

        long = studio.submit(LONG)
        wait_for(long, Step)
        busy = studio.estimate(SHORT).waits
        assert busy is not None
        assert busy > 0
        studio.submit(GenerationRequest(prompt="unknown pace", model="plain"))
        assert studio.estimate(SHORT, client="ben").waits is not None
        assert studio.estimate(SHORT).waits is None


def test_checking_a_request_queues_nothing_and_says_what_submitting_would(studio: Studio) -> None:
    before = studio.jobs()
    studio.check(SHORT)
    with pytest.raises(InvalidRequest, match="pixels"):
        studio.check(SHORT.model_copy(update={"width": 4096, "height": 4096}))
    assert studio.jobs() == before


def test_a_variations_seed_is_drawn_once_and_stored_with_the_request(studio: Studio) -> None:
    varied = GenerationRequest(prompt="varied", num_inference_steps=1, seed=5, variation_strength=0.2)
    job = studio.submit(varied)
    drawn = job.state.request.variation_seed
    assert drawn >= 0
    assert job.state.seed == 5
    assert studio.submit(varied.model_copy(update={"variation_seed": 9})).state.request.variation_seed == 9
    assert studio.submit(SHORT).state.request.variation_seed == -1


def test_an_idempotency_key_makes_one_job(studio: Studio) -> None:
    jobs = {studio.submit(SHORT, client="ann", idempotency_key="once").id for _ in range(3)}
    assert len(jobs) == 1
    assert studio.submit(SHORT, client="ben", idempotency_key="once").id not in jobs


def test_the_queue_is_bounded(make_settings: MakeSettings) -> None:
    with Studio(make_settings(max_queue=3, max_queue_per_client=2)) as studio:
        studio._dispatcher.crew.slots[0].ready = False
        for client in ("ann", "ann", "ben"):
            studio.submit(LONG, client=client)
        with pytest.raises(QueueFull, match="your jobs"):
            studio.submit(LONG, client="ann")
        with pytest.raises(QueueFull, match="3 jobs are waiting"):
            studio.submit(LONG, client="cat")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"width": 65}, "width"),
        ({"height": 4096}, "height"),
        ({"model": "nope"}, "model"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_images": -1}, "num_images"),
        ({"seed": 2**32 - 1, "num_images": 2}, "seed"),
    ],
)
def test_bad_input_is_refused_at_the_door_with_its_field(studio: Studio, fields: dict[str, object], field: str) -> None:
    before = studio.jobs()
    with pytest.raises((InvalidRequest, UnknownModel)) as caught:
        studio.generate("a house", **fields)
    assert caught.value.info.field == field
    assert studio.jobs() == before


def test_what_a_model_ignores_is_said(studio: Studio) -> None:
    job = studio.submit(
        GenerationRequest(prompt="a house", negative_prompt="fog", model="plain", num_inference_steps=1)
    )
    [image] = job.result()
    assert job.state.warnings == ("Plain does not use a negative prompt; it is ignored.",)
    assert image.recipe.negative_prompt == ""


def test_switching_models_and_back_needs_no_restart(studio: Studio) -> None:
    pids = studio.worker_pids
    for model in ("plain", "tiny"):
        [image] = studio.generate("a house", model=model, num_inference_steps=1)
        assert image.recipe.model == model
    assert studio.engine.model == "tiny"
    assert studio.worker_pids == pids


def test_a_job_that_needs_every_device_waits_for_the_others_and_finds_them_empty(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Studio, "_needs_all", lambda _, row: row.request.prompt == "large")
    with Studio(make_settings(workers=2, preload=False)) as studio:
        small = [studio.submit(GenerationRequest(prompt=f"small {name}", num_inference_steps=20)) for name in "ab"]
        for job in small:
            wait_for(job, Step)  # each on its own worker
        large = studio.submit(GenerationRequest(prompt="large", num_inference_steps=20))
        after = studio.submit(GenerationRequest(prompt="after", num_inference_steps=1))
        wait_for(large, Step)
        assert [job.state.status for job in small] == ["finished", "finished"]
        assert [slot.loaded for slot in studio._dispatcher.crew.slots if slot.active is None] == [None]
        assert after.state.status == "queued"
        assert [len(job.result()) for job in (large, after)] == [1, 1]


def test_what_this_machine_could_never_hold_is_refused_before_anything_is_fetched(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = cpu().model_copy(update={"memory_total": 6 * 10**9, "memory_free": 5 * 10**9})
    monkeypatch.setattr("pipeline.models.hardware.detect", lambda: Hardware(devices=(small,)))
    studio = Studio(make_settings())
    with pytest.raises(OutOfMemory, match=r"does not fit: needs about [\d.]+ GB of RAM") as caught:
        studio.generate("a house", model="Qwen/Qwen-Image")
    assert "What would fit" in caught.value.info.remedy
    assert studio.jobs() == []
    studio.close()


def test_on_several_gpus_each_worker_has_its_own_first_and_reaches_the_others(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = [Device(kind="cuda", index=n, name="GPU", memory_total=24 * 10**9, memory_free=24 * 10**9) for n in (0, 1)]
    monkeypatch.setattr("pipeline.models.hardware.detect", lambda: Hardware(devices=(*gpus, cpu())))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    studio = Studio(make_settings())
    assert [worker["CUDA_VISIBLE_DEVICES"] for worker in studio._worker_environments()] == ["0,1", "1,0"]
    studio.close()


def test_an_error_of_the_engine_reaches_the_caller_and_the_worker_lives(studio: Studio) -> None:
    pids = studio.worker_pids
    with pytest.raises(DarkroomError) as caught:
        studio.generate("a house", scheduler="NoSuchScheduler")
    assert caught.value.info.field == "scheduler"
    assert len(studio.submit(SHORT).result()) == 1
    assert studio.worker_pids == pids


def test_an_unknown_job_is_not_found(studio: Studio) -> None:
    with pytest.raises(NotFound):
        studio.job("nope")


def test_asyncio_listeners_resume_where_they_were_cut_off(studio: Studio) -> None:
    job = studio.submit(SHORT)

    async def follow(after: int) -> list[tuple[int, Event]]:
        return [numbered async for numbered in job.numbered_events(after)]

    everything = in_a_loop(follow(0))
    numbers = [number for number, _ in everything]
    assert numbers == sorted(numbers)
    assert isinstance(everything[-1][1], Finished)
    assert in_a_loop(follow(numbers[-2])) == everything[-1:]


def test_a_job_can_be_awaited_and_raises_what_became_of_it(studio: Studio) -> None:
    async def both() -> None:
        made, stopped = studio.submit(SHORT), studio.submit(LONG)
        assert [image.seed for image in await made] == [SHORT.seed]
        stopped.cancel()
        with pytest.raises(JobCancelled):
            await asyncio.wait_for(stopped, timeout=None)

    in_a_loop(both())


def test_jobs_tell_their_main_points_in_a_line(studio: Studio) -> None:
    job = studio.submit(SHORT)
    job.result()
    assert repr(job) == f"Job('{job.id}')"
    assert repr(job.state) == f"JobState(id='{job.id}', status='finished', model='tiny', images=1)"


def test_closing_a_private_studio_cancels_what_is_left(make_settings: MakeSettings) -> None:
    ends: list[BaseException] = []

    def wait(job: Job) -> None:
        try:
            job.result()
        except DarkroomError as error:
            ends.append(error)

    with Studio(make_settings()) as studio:
        waiters = [threading.Thread(target=wait, args=(studio.submit(LONG),)) for _ in range(2)]
        for waiter in waiters:
            waiter.start()
        wait_for(studio.job(studio.queue()[0].id), Step)
    for waiter in waiters:
        waiter.join(timeout=10)
    assert [type(error) for error in ends] == [JobCancelled, JobCancelled]


def test_a_persistent_studio_goes_on_where_it_was_stopped(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with Studio(settings, persistent=True) as before:
        running = before.submit(GenerationRequest(prompt="two", num_inference_steps=20, num_images=8, seed=3))
        waiting = before.submit(SHORT)
        first = wait_for(running, Saved)
    with Studio(settings, persistent=True) as after:
        images = after.job(running.id).result()
        assert after.job(running.id).state.restarted
        assert [image.seed for image in images] == list(range(3, 11))
        assert images[0].id == first.image.id
        assert len(after.job(waiting.id).result()) == 1
        told_live = [type(event) for event in after.job(waiting.id).events()]
    with Studio(settings, persistent=True) as later:
        told_from_the_store = [type(event) for event in later.job(waiting.id).events()]
    assert told_live[-2:] == told_from_the_store == [Saved, Finished]


def test_pictures_brought_along_stay_while_something_uses_them_and_a_month_longer(make_settings: MakeSettings) -> None:
    settings = make_settings(preload=False)
    before = Studio(settings, persistent=True)
    before._started = True  # so that no worker takes the job
    new, waited_for, worked_from, unused = (
        before.inputs.put(Image.new("RGB", (64, 64), colour)) for colour in ("red", "lime", "blue", "gray")
    )
    before.submit(GenerationRequest(prompt="a boat", image=waited_for, num_inference_steps=2))
    before.gallery.save(make_picture(image=worked_from), "job")
    before.close()
    for name in (waited_for, worked_from, unused):
        os.utime(before.inputs.path(name), (0, 0))

    with Studio(settings) as script:
        assert script.inputs.has(unused)
    with Studio(settings, persistent=True) as after:
        assert [after.inputs.has(name) for name in (new, waited_for, worked_from, unused)] == [True, True, True, False]


def test_two_persistent_studios_do_not_share_a_folder(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with Studio(settings, persistent=True), pytest.raises(FolderInUse, match=str(os.getpid())):
        Studio(settings, persistent=True)
    Studio(settings, persistent=True).close()


def test_a_script_works_beside_the_studio_of_the_same_folder(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with Studio(settings, persistent=True) as service, Studio(settings) as script:
        [image] = script.generate("beside", num_inference_steps=1, seed=1)
        assert service.gallery.find(image.id).path == image.path
        assert service.jobs() == []


def test_the_default_model_and_the_reason_are_told(studio: Studio) -> None:
    assert studio.default.record.id == "tiny"
    assert "DARKROOM_MODEL" in studio.default.reason


def test_a_studio_that_is_not_started_is_off_and_wakes_at_the_first_job(make_settings: MakeSettings) -> None:
    studio = Studio(make_settings())
    assert studio.engine.status == "off"
    assert len(studio.generate("wake up", num_inference_steps=1)) == 1
    assert studio.engine.status == "ready"
    assert studio.engine.model == "tiny"
    assert "torch" in studio.engine.versions
    studio.close()


def test_whoever_comes_while_a_studio_starts_waits_for_that(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half done in the store is queued again at the start: a job that was begun meanwhile would run twice."""
    begun, go_on = threading.Event(), threading.Event()
    start = Dispatcher.start

    def slow(dispatcher: Dispatcher, recover: bool) -> None:
        begun.set()
        go_on.wait()
        start(dispatcher, recover)

    monkeypatch.setattr(Dispatcher, "start", slow)
    studio = Studio(make_settings())
    callers = [threading.Thread(target=studio.submit, args=(SHORT,)) for _ in range(2)]
    for caller in callers:
        caller.start()
    assert begun.wait(60)
    for caller in callers:
        caller.join(0.5)
    assert studio.jobs() == []
    go_on.set()
    for caller in callers:
        caller.join()
    assert len(studio.jobs()) == 2
    studio.close()
