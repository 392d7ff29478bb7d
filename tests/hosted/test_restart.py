"""Hosted jobs of a studio whose process is killed, and what a new start makes of them."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipeline.errors import ProviderFailed
from pipeline.gallery.verify import verify
from pipeline.jobs import outside
from pipeline.settings import Settings
from tests.conftest import variables
from tests.hosted.conftest import HostedStudio
from tests.hosted.provider_server import Answer, Asked, ProviderServer, picture

KEYS = {
    "OPENAI_API_KEY": "secret-key",
    "KLING_ACCESS_KEY": "access-key-of-these-tests",
    "KLING_SECRET_KEY": "secret-key-of-these-tests-0123456789",
}
OPENAI, KLING = "openai/gpt-image-2", "kling/kling-v3"
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def settings(
    make_settings: Callable[..., Settings], provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Of a studio whose providers are all one server."""
    addresses = {"OPENAI_BASE_URL": f"{provider.url}/v1", "KLING_BASE_URL": provider.url}
    for name, value in (KEYS | addresses).items():
        monkeypatch.setenv(name, value)
    return make_settings()


@contextmanager
def running(settings: Settings, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A studio in a process of its own, with a job, and the job's id; killed at the end."""
    command = [sys.executable, "-m", "tests.hosted.studio_process", *arguments]
    environment = os.environ | variables(settings)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def orders(provider: ProviderServer) -> list[Asked]:
    """What may cost something."""
    return [asked for asked in provider.asked if asked.method == "POST"]


class Task:
    """Kling, whose only task is done as soon as a test says so."""

    def __init__(self, provider: ProviderServer) -> None:
        self.url = provider.url
        self.looked, self.done = threading.Event(), threading.Event()
        provider.answers(self._answer)

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/made.png":
            return Answer(picture(1024, 1024, "navy"), headers=PNG)
        task = {"task_id": "t1", "task_status": "succeed" if self.done.is_set() else "processing"}
        if asked.method == "GET":
            self.looked.set()
            task["task_result"] = {"images": [{"index": 0, "url": f"{self.url}/made.png"}]}
        return Answer({"code": 0, "message": "", "request_id": "r1", "data": task})


def test_a_task_of_a_studio_that_was_killed_is_found_again_and_ordered_once(
    settings: Settings, provider: ProviderServer
) -> None:
    task = Task(provider)
    with running(settings, KLING) as (_, job_id):
        assert task.looked.wait(60)
    task.done.set()
    with HostedStudio(settings, persistent=True) as studio:
        [image] = studio.job(job_id).result()
        assert studio.job(job_id).state.restarted
        assert image.recipe.hosted is not None
        assert (image.recipe.hosted.provider, image.recipe.prompt) == ("Kling", "a boat")
    assert image.path is not None
    assert verify(image.path).state == "intact"
    assert len(orders(provider)) == 1


def test_a_task_of_a_job_that_was_cancelled_before_the_studio_was_killed_still_brings_its_picture(
    settings: Settings, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "PATIENCE", 60.0)
    task = Task(provider)
    with running(settings, KLING) as (process, job_id):
        assert task.looked.wait(60)
        print("cancel", file=process.stdin, flush=True)
        assert process.stdout.readline().strip() == "cancelled"
    task.done.set()
    with HostedStudio(settings, persistent=True) as studio:
        assert studio.job(job_id).state.status == "cancelled"
    with HostedStudio(settings, persistent=True) as studio:
        [image] = studio.gallery.of_job(job_id)
        assert image.path is not None
        assert verify(image.path).state == "intact"
        assert studio.job(job_id).state.status == "cancelled"
    assert len(orders(provider)) == 1


def test_an_answer_that_a_killed_studio_waited_for_is_not_asked_for_again(
    settings: Settings, provider: ProviderServer
) -> None:
    over = threading.Event()
    provider.answers(Answer(b"", held_until=over))
    with running(settings, OPENAI) as (_, job_id):
        assert provider.arrived.acquire(timeout=60)
    over.set()
    with HostedStudio(settings, persistent=True) as studio:
        with pytest.raises(ProviderFailed, match="The studio ended while OpenAI was making this picture") as failed:
            studio.job(job_id).result()
        assert "not asked twice" in failed.value.info.remedy
        assert not studio.gallery.of_job(job_id)
    assert len(orders(provider)) == 1


def test_a_picture_that_came_before_the_studio_was_killed_is_saved_at_the_next_start(
    settings: Settings, provider: ProviderServer
) -> None:
    told = threading.Event()
    made = base64.b64encode(picture(1024, 1024, "navy")).decode()
    provider.answers(Answer({"created": 1, "data": [{"b64_json": made}]}, held_until=told))
    with running(settings, OPENAI, "dies") as (process, job_id):
        told.set()
        process.wait(60)
    with HostedStudio(settings, persistent=True) as studio:
        [image] = studio.job(job_id).result()
        assert image.recipe.hosted is not None
        assert (image.recipe.hosted.provider, image.recipe.prompt) == ("OpenAI", "a boat")
        assert image.path is not None
        assert verify(image.path).state == "intact"
    assert len(orders(provider)) == 1
    assert not list((settings.data_folder / "hosted").glob(f"{job_id}-*"))
