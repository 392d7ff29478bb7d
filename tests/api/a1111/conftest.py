"""A1111's clients against a real server: a studio with a tiny model that follows a flow and one that removes noise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import webuiapi

from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.checkpoints import family_record, record_for, sd15_checkpoint
from tests.conftest import tiny_settings, write_models
from tests.engine.test_extras import write_weights

HOST = "127.0.0.1"


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
    with served(app_of(studio)) as address:
        yield int(address.rpartition(":")[2])


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
