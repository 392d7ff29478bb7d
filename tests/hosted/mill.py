"""A provider of the tests' own: its adapter makes what it is told, and no network takes part."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.hosted.call import Arrival, Call, Watch
from pipeline.request import GenerationRequest
from pipeline.settings import Settings
from tests.hosted.provider_server import picture

MODEL = "mill/wheel"
REQUEST = GenerationRequest(prompt="a boat", model=MODEL, seed=7, num_images=5)
RECORDS = """
[[provider]]
id = "mill"
name = "The Mill"
adapter = "mill"
base_url = "https://mill.invalid/v1"

[[model]]
id = "mill/wheel"
name = "Wheel"
provider = "mill"
source = "wheel-1"
summary = "Makes what it is told."
tasks = ["text", "image", "inpaint"]
size = { native = [96, 64], multiple = 1, min = 16, max = 4096 }
prompt_characters = 1000
images_per_call = 2
options = { quality = { choices = ["low", "high"], default = "low", summary = "How fine." } }
"""
Answer = Callable[[Call, Watch], list[Arrival]]


class Mill:
    """An adapter that answers in the order in which it was told, the last answer for ever; at first with what was
    ordered."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.called = threading.Semaphore(0)
        """Counts calls as they come."""
        self._answers: deque[Answer] = deque([as_ordered])

    def answers(self, *answers: Answer) -> None:
        """Answer so from now on."""
        self._answers = deque(answers)

    def make(self, call: Call, watch: Watch) -> list[Arrival]:
        """As `Adapter.make`."""
        self.calls.append(call)
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        self.called.release()
        return answer(call, watch)

    @property
    def ordered(self) -> list[tuple[int, int]]:
        """Of each call the seed of its first picture, and how many."""
        return [(call.request.seed, call.count) for call in self.calls]


def install(monkeypatch: pytest.MonkeyPatch) -> Mill:
    """The adapter, where the studio looks for it."""
    mill = Mill()
    monkeypatch.setitem(sys.modules, "pipeline.hosted.providers.mill", mill)
    return mill


def add_records(settings: Settings, records: str = RECORDS) -> Settings:
    """Settings of a studio that knows the mill."""
    settings.hosted_file.parent.mkdir(parents=True, exist_ok=True)
    settings.hosted_file.write_text(records, encoding="utf-8")
    return settings


def as_ordered(call: Call, watch: Watch) -> list[Arrival]:
    """As many pictures as were ordered."""
    return made(call.count)(call, watch)


def made(count: int, **fields: Any) -> Answer:
    """So many pictures of the size that was asked for."""
    return lambda call, watch: [Arrival(picture(*call.size), **fields) for _ in range(count)]


def files(*data: bytes) -> Answer:
    """Files, whatever they are."""
    return lambda call, watch: [Arrival(one) for one in data]


def refusing(error: BaseException) -> Answer:
    """Nothing but an error."""

    def refuse(call: Call, watch: Watch) -> list[Arrival]:
        raise error

    return refuse


class Held:
    """An answer that comes once it is let go, whatever happens to the job meanwhile."""

    def __init__(self, answer: Answer = as_ordered, task: str = "") -> None:
        """`task` is what the provider calls the order."""
        self._answer, self._task = answer, task
        self.begun, self._let_go = threading.Event(), threading.Event()

    def __call__(self, call: Call, watch: Watch) -> list[Arrival]:
        if self._task:
            watch.task(self._task)
        self.begun.set()
        self._let_go.wait()
        return self._answer(call, watch)

    def let_go(self) -> None:
        """Let it come."""
        self._let_go.set()
