"""A1111's clients against a real server: a studio with a tiny model that follows a flow and one that removes noise."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import webuiapi
from fastapi import FastAPI

import api as studio_api
from api.security import Gate
from pipeline.studio import Studio
from tests.checkpoints import family_record, record_for, sd15_checkpoint
from tests.conftest import tiny_settings, write_models
from tests.engine.test_extras import write_weights

HOST = "127.0.0.1"


class Server:
    """An application on a free port of this computer."""

    def __init__(self, app: FastAPI) -> None:
        self._ready = threading.Event()
        self._server = uvicorn.Server(uvicorn.Config(app, HOST, 0, log_level="warning", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> int:
        """The port."""
        self._thread.start()
        assert self._ready.wait(30)
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        startup = self._server.startup

        async def started(sockets: object = None) -> None:
            await startup()
            self._ready.set()

        self._server.startup = started  # type: ignore[method-assign]
        self._server.run()


def application(studio: Studio) -> FastAPI:
    """The API over `studio`, behind the door."""
    app = FastAPI()
    app.state.studio = studio
    app.add_middleware(Gate)
    studio_api.install(app)
    return app


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Studio]:
    """A studio whose default is `tiny`, shaped like the demo, and that knows `sd15` too."""
    folder = tmp_path_factory.mktemp("a1111")
    settings = tiny_settings(folder, tiny_checkpoint, weights=folder / "models")
    other = sd15_checkpoint(folder / "sd15")
    write_models(
        settings.models_file,
        record_for(tiny_checkpoint, id="tiny", name="Tiny"),
        family_record("sd15", other, id="sd15", name="Old", negative_prompt=True),
    )
    with Studio(settings) as studio:
        yield studio


@pytest.fixture(scope="session")
def port(studio: Studio) -> Iterator[int]:
    with Server(application(studio)) as port:
        yield port


@pytest.fixture
def url(port: int) -> str:
    return f"http://{HOST}:{port}/sdapi/v1"


@pytest.fixture
def api(port: int) -> Iterator[webuiapi.WebUIApi]:
    """The client that many scripts use, its choice of a checkpoint taken back after each test."""
    client = webuiapi.WebUIApi(host=HOST, port=port)
    yield client
    client.set_options({"sd_model_checkpoint": "tiny", "sd_vae": "Automatic"})


@pytest.fixture
def weights(studio: Studio) -> Iterator[Path]:
    """LoRAs and VAEs in the folder of one's own, for as long as a test takes."""
    folder = write_weights(studio.models.shelf.folder)
    yield folder
    shutil.rmtree(folder)
