"""One engine for all tests of the engine, tiny checkpoints, and a way to run a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.engine import Engine
from pipeline.engine.report import computes_bfloat16
from pipeline.events import Event, Picture
from pipeline.models.registry import ModelRecord
from pipeline.request import parse_request
from tests.checkpoints import SD35, record_for, sd35_checkpoint

BFLOAT16 = "bfloat16" if computes_bfloat16("cpu") else "float32"
"""What records that name bfloat16 are computed in on this processor."""


@dataclass
class Run:
    """What a generation emitted and made."""

    events: list[Event] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def digests(self) -> list[str]:
        return [picture.recipe.sha256 for picture in self.pictures]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models are not worth more: on a busy machine the threads would mostly wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def engine(cache: Path) -> Iterator[Engine]:
    engine = Engine(cache)
    yield engine
    engine.release()


@pytest.fixture(scope="session")
def demo(tiny_checkpoint: Path) -> ModelRecord:
    return record_for(tiny_checkpoint)


@pytest.fixture(scope="session")
def sd35(tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    """The registry's own record of SD3.5 Medium; only source and size differ."""
    return record_for(sd35_checkpoint(tmp_path_factory.mktemp("checkpoints") / "sd35"), SD35)


@pytest.fixture
def run(engine: Engine, demo: ModelRecord) -> Callable[..., Run]:
    """Generate `indices` of a request and collect everything; three steps unless told otherwise."""

    def go(record: ModelRecord = demo, indices: Sequence[int] = (0,), **fields: Any) -> Run:
        request = parse_request(**{"prompt": "a red house", "seed": 7, "num_inference_steps": 3} | fields)
        run = Run()
        run.pictures.extend(engine.generate(request, record, indices, run.events.append, lambda: False))
        return run

    return go
