"""The API over a real studio with a tiny checkpoint, without the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.description import FACTS
from api.serving import furnish
from pipeline.studio import Studio
from tests.conftest import tiny_settings


def app_of(studio: Studio) -> FastAPI:
    """The API over `studio`, behind the same door as in the application."""
    app = FastAPI(**FACTS)
    app.state.studio = studio
    furnish(app)
    return app


def client_of(studio: Studio) -> TestClient:
    """A client of that API."""
    return TestClient(app_of(studio), base_url="http://localhost:8501", follow_redirects=False)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Studio]:
    with Studio(tiny_settings(tmp_path_factory.mktemp("api"), tiny_checkpoint)) as studio:
        yield studio


@pytest.fixture
def client(studio: Studio) -> TestClient:
    return client_of(studio)


@pytest.fixture
def guarded(make_settings: Callable[..., Any]) -> Iterator[TestClient]:
    """A client of a studio that asks for the token `sesame`. Its engine never starts."""
    studio = Studio(make_settings(token="sesame"))
    yield client_of(studio)
    studio.close()


@pytest.fixture
def image(studio: Studio) -> Any:
    """A finished picture."""
    [image] = studio.generate("a boat", num_inference_steps=2, seed=7)
    return image


class StillStudio(Studio):
    """A studio whose workers never start: what is queued waits."""

    def start(self) -> None:
        pass


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[StillStudio]:
    studio = StillStudio(tiny_settings(tmp_path_factory.mktemp("still"), tiny_checkpoint, max_queue=40))
    yield studio
    studio.close()
