"""A hub of our own with one small model, and an empty cache for what comes from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import TINY, HubServer, pipeline_files, use_hub


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(TINY, pipeline_files())
        yield server


@pytest.fixture
def cache(server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache for what comes from the server."""
    use_hub(monkeypatch, server.url, tmp_path / "hub")
    return tmp_path / "hub"
