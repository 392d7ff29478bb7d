"""How far a job is, and how it is stopped, for A1111's clients."""

from __future__ import annotations

import base64
import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import webuiapi
from PIL import Image

from pipeline.errors import JobCancelled
from pipeline.events import Event, Preview, Saved, Step
from pipeline.jobs.job import Job
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from tests.api.a1111.conftest import HOST

LONG = {"prompt": "a boat", "width": 64, "height": 64, "steps": 1000}


def running(api: webuiapi.WebUIApi, studio: Studio) -> Job:
    """The job that a client has sent, as soon as it is there."""
    told: dict[str, Any] = {"job": ""}
    while not told["job"]:
        told = api.get_progress()["state"]
    return studio.job(told["job"])


def wait_for(job: Job, kind: type[Event]) -> None:
    assert any(isinstance(event, kind) for event in job.events())


def test_nothing_to_do_is_told_as_a1111_does(api: webuiapi.WebUIApi) -> None:
    told = api.get_progress()
    assert (told["progress"], told["state"]["job_count"], told["current_image"]) == (0.0, 0, None)
    api.util_wait_for_ready()
    assert api.interrupt() == {}
    assert api.skip() == {}


def test_a_running_job_tells_how_far_it_is_and_shows_itself(api: webuiapi.WebUIApi, studio: Studio) -> None:
    with ThreadPoolExecutor() as pool:
        drawn = pool.submit(api.txt2img, n_iter=2, **LONG)
        job = running(api, studio)
        wait_for(job, Preview)
        told = api.get_progress()
        assert 0 < told["progress"] < 1
        assert (told["state"]["job_count"], told["state"]["sampling_steps"]) == (2, 1000)
        assert told["state"]["job"] == job.id
        assert Image.open(io.BytesIO(base64.b64decode(told["current_image"]))).size[0] > 0
        without = api.session.get(f"{api.baseurl}/progress", params={"skip_current_image": True}).json()
        assert without["current_image"] is None
        api.interrupt()
        drawn.exception()


def test_an_interrupted_job_stops_and_says_so_when_nothing_is_finished(api: webuiapi.WebUIApi, studio: Studio) -> None:
    with ThreadPoolExecutor() as pool:
        drawn = pool.submit(api.txt2img, **LONG)
        job = running(api, studio)
        wait_for(job, Step)
        api.interrupt()
        with pytest.raises(RuntimeError, match="cancelled"):
            drawn.result()
    assert job.state.status == "cancelled"
    assert api.get_progress()["state"]["job_count"] == 0


def test_an_interrupted_batch_gives_what_is_finished(api: webuiapi.WebUIApi, studio: Studio) -> None:
    with ThreadPoolExecutor() as pool:
        drawn = pool.submit(api.txt2img, n_iter=16, seed=1, **(LONG | {"steps": 100}))
        job = running(api, studio)
        wait_for(job, Saved)
        api.skip()
        result = drawn.result()
    assert job.state.status == "cancelled"
    assert 1 <= len(result.images) < 16
    assert result.info["all_seeds"] == list(range(1, 1 + len(result.images)))


def test_others_jobs_are_neither_seen_nor_stopped(api: webuiapi.WebUIApi, studio: Studio) -> None:
    wish = GenerationRequest(prompt="a boat", num_inference_steps=200)
    own = studio.submit(wish, client=f"api:{HOST}")
    wait_for(own, Step)
    assert api.get_progress()["state"]["job_count"] == 0
    api.interrupt()
    assert len(own.result()) == 1


def test_a_waiting_job_can_be_stopped_too(api: webuiapi.WebUIApi, studio: Studio) -> None:
    other = studio.submit(GenerationRequest(prompt="a boat", num_inference_steps=1000), client="somebody")
    wait_for(other, Step)
    with ThreadPoolExecutor() as pool:
        drawn = pool.submit(api.txt2img, **LONG)
        running(api, studio)
        told = api.get_progress()
        assert told["progress"] == 0.01
        assert told["textinfo"] == "Waiting, place 1 in the queue"
        api.interrupt()
        with pytest.raises(RuntimeError, match="cancelled"):
            drawn.result()
    assert other.state.status == "running"
    other.cancel()


def test_a_client_that_hangs_up_takes_its_job_along(api: webuiapi.WebUIApi, studio: Studio, port: int) -> None:
    body = json.dumps(LONG).encode()
    head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        job = running(api, studio)
        wait_for(job, Step)
    with pytest.raises(JobCancelled):
        job.result()
