"""What several test folders share: a tiny checkpoint, settings for a studio that knows only it, such a studio, and a
provider of hosted models."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.models.registry import ModelRecord
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.hosted.as_openai import openai_here, without_keys
from tests.hosted.provider_server import ProviderServer

# torch behaves as in a worker (pipeline/jobs/worker.py): its threads do not spin, and it compiles nothing. Before it is
# imported.
os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "TORCHDYNAMO_DISABLE": "1"}


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo-shaped checkpoint with random weights, made once for all tests."""
    from tests.checkpoints import demo_checkpoint

    return demo_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def make_settings(tmp_path: Path, tiny_checkpoint: Path) -> Callable[..., Settings]:
    """Settings for a fresh outputs folder whose default model is the tiny checkpoint, named `tiny`."""
    return partial(tiny_settings, tmp_path, tiny_checkpoint)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine that runs the tests: neither keys nor addresses of providers."""
    without_keys(monkeypatch, tmp_path)


@pytest.fixture
def openai_server(no_keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """A server that stands for OpenAI, with a key for it and for nobody else."""
    with openai_here(monkeypatch) as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this account may not mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture(scope="module")
def shared_studio(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Studio]:
    with Studio(tiny_settings(tmp_path_factory.mktemp("studio"), tiny_checkpoint)) as studio:
        yield studio


@pytest.fixture
def studio(shared_studio: Studio) -> Iterator[Studio]:
    """A running studio, its queue emptied after each test."""
    yield shared_studio
    for state in shared_studio.queue():
        shared_studio.job(state.id).cancel()


def tiny_settings(folder: Path, checkpoint: Path, **changes: Any) -> Settings:
    """Settings of a studio in `folder` that knows `checkpoint` as `tiny`, its default, and as `plain`, which takes no
    negative prompt."""
    from tests.checkpoints import record_for

    own = {"_env_file": None, "model": "tiny", "outputs": folder / "outputs", "cache": folder / "cache"}
    settings = Settings(**own | changes)
    write_models(
        settings.models_file,
        record_for(checkpoint, id="tiny", name="Tiny"),
        record_for(checkpoint, id="plain", name="Plain", negative_prompt=False),
    )
    return settings


def variables(settings: Settings) -> dict[str, str]:
    """The environment by which a studio of its own process has the folders and the model of `settings`."""
    return {
        "DARKROOM_OUTPUTS": str(settings.outputs),
        "DARKROOM_CACHE": str(settings.cache),
        "DARKROOM_MODEL": settings.model,
    }


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_models(path: Path, *records: ModelRecord) -> None:
    """Write records as a user's `models.toml`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        "[[model]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in _plain(record)) for record in records
    ]
    path.write_text("\n".join(tables), encoding="utf-8")


def _plain(record: ModelRecord) -> list[tuple[str, Any]]:
    return list(record.model_dump(mode="json").items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
