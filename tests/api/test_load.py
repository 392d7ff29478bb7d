"""Many at once: nothing is lost and nothing made twice, also when the whole service is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.events import Step
from pipeline.models.registry import ROOT
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.conftest import free_port, tiny_settings, variables
from tests.loops import in_a_loop

PATIENCE = 300.0
"""The longest that an answer may take, on a slow and busy machine."""
WATCHERS, JOBS = 20, 30


@pytest.fixture
def url(studio: Studio) -> Iterator[str]:
    """The address of a server over the studio."""
    with served(app_of(studio)) as address:
        yield f"{address}/api/v1"


def wish(seed: int, steps: int = 1, **more: Any) -> dict[str, Any]:
    return {"prompt": f"picture {seed}", "seed": seed, "num_inference_steps": steps} | more


async def told(client: httpx.AsyncClient, job_id: str) -> list[tuple[str, str]]:
    """Id and name of each event of a job, to its end."""
    text = (await client.get(f"/jobs/{job_id}/events")).text.replace("\r\n", "\n")
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("id:")]
    return [(block[0].removeprefix("id: "), block[1].removeprefix("event: ")) for block in blocks]


def test_everybody_who_watches_sees_every_job_through_and_two_clients_take_turns(url: str, studio: Studio) -> None:
    async def crowd() -> tuple[list[str], list[list[tuple[str, str]]]]:
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=httpx.Limits(max_connections=64)) as client:
            front = (await client.post("/jobs", json=wish(0, 1000, num_images=16))).json()["id"]
            ids = []
            for number in range(JOBS):
                who = {"Cookie": f"darkroom_client={'ann' if number < JOBS // 2 else 'ben'}"}
                ids.append((await client.post("/jobs", json=wish(number), headers=who)).json()["id"])
            watching = [asyncio.create_task(told(client, ids[number * 3 % JOBS])) for number in range(WATCHERS)]
            cancelled = await client.delete(f"/jobs/{front}")
            assert cancelled.status_code == 200
            stories = [await task for task in watching]
            await asyncio.gather(*(told(client, job_id) for job_id in ids))
            return ids, stories

    ids, stories = in_a_loop(crowd())

    for story in stories:
        numbers = [int(number.split("-")[0]) for number, _ in story]
        assert numbers == sorted(set(numbers))
        assert [name for _, name in story].count("saved") == 1
        assert story[-1][1] == "finished"
    jobs = [studio.job(job_id).state for job_id in ids]
    assert [(job.status, len(job.images), job.images[0].seed) for job in jobs] == [
        ("finished", 1, number) for number in range(JOBS)
    ]
    assert len({image.id for job in jobs for image in job.images}) == JOBS
    order = [job.client for job in sorted(jobs, key=lambda job: str(job.started_at))]
    for place in range(2, JOBS + 1):
        assert abs(order[:place].count("ann") - order[:place].count("ben")) <= 2


def test_a_job_in_hand_is_cancelled_while_many_wait(url: str, studio: Studio) -> None:
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        front = client.post("/jobs", json=wish(0, 1000, num_images=16)).json()["id"]
        waiting = [client.post("/jobs", json=wish(number)).json()["id"] for number in range(10)]
        next(event for event in studio.job(front).events() if isinstance(event, Step))
        for job_id in (*waiting, front):
            assert client.delete(f"/jobs/{job_id}").status_code == 200
        for job_id in (*waiting, front):
            client.get(f"/jobs/{job_id}/events")
            assert client.get(f"/jobs/{job_id}").json()["status"] == "cancelled"
        assert client.get("/queue").json()["jobs"] == []


class Service:
    """`uvicorn api.alone:app` as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        port, own = free_port(), variables(settings)
        command = [sys.executable, "-m", "uvicorn", "api.alone:app", "--port", str(port), "--log-level", "warning"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own)
        transport = httpx.HTTPTransport(retries=10)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE, transport=transport)

    def wait_for(self, job_id: str, names: set[str]) -> str:
        """Until an event of one of these names; returns it."""
        with self.client.stream("GET", f"/jobs/{job_id}/events") as answer:
            lines = (line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: "))
            return next(name for name in lines if name in names)

    def kill(self) -> None:
        """As nothing is told beforehand and nothing can be done about."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_after_the_whole_service_was_killed_every_job_is_finished_once(tmp_path: Path, tiny_checkpoint: Path) -> None:
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    first = Service(settings)
    try:
        ids = [first.client.post("/jobs", json=wish(seed, steps=40)).json()["id"] for seed in range(6)]
        first.wait_for(ids[0], {"finished"})
        first.wait_for(ids[1], {"step"})
    finally:
        first.kill()
    second = Service(settings)
    try:
        assert [second.wait_for(job_id, {"finished", "failed", "cancelled"}) for job_id in ids] == ["finished"] * 6
        jobs = [second.client.get(f"/jobs/{job_id}").json() for job_id in ids]
        assert second.client.get("/images").json()["total"] == 6
    finally:
        second.process.terminate()
        second.process.wait()
    assert [[image["recipe"]["seed"] for image in job["images"]] for job in jobs] == [[seed] for seed in range(6)]
    assert [job["restarted"] for job in jobs][:2] == [False, True]
    made = [job["images"][0]["path"] for job in jobs]
    assert sorted(map(str, settings.outputs.glob("*/*.png"))) == sorted(made)
