"""One studio for these tests, and a picture that was made with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.events import SavedImage
from pipeline.studio import Studio
from tests.conftest import tiny_settings

FEW = {"num_inference_steps": 2, "seed": 3}


@pytest.fixture(scope="package")
def shared_studio(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Studio]:
    with Studio(tiny_settings(tmp_path_factory.mktemp("rerun"), tiny_checkpoint)) as studio:
        yield studio


@pytest.fixture(scope="package")
def image(shared_studio: Studio) -> SavedImage:
    [image] = shared_studio.generate("a red house", **FEW)
    return image
