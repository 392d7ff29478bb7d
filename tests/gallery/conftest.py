"""A gallery of a fresh folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.gallery import Gallery
from tests.gallery.pictures import open_gallery


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def gallery(outputs: Path) -> Iterator[Gallery]:
    gallery = open_gallery(outputs)
    yield gallery
    gallery.close()


@pytest.fixture
def blocked(outputs: Path) -> Iterator[Gallery]:
    """A gallery whose outputs folder cannot be: a file has its place."""
    outputs.write_text("in the way")
    gallery = open_gallery(outputs)
    yield gallery
    gallery.close()
