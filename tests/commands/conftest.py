"""The command line as its users call it: in a process of its own where that matters, else through `main`."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from pipeline.__main__ import main
from tests.checkpoints import record_for
from tests.conftest import tiny_settings, write_models
from tests.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[2]
Shell = Callable[..., tuple[int, str, str]]
REMOTE = "acme/tiny"
LARGEST = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> dict[str, str]:
    """The variables of a fresh outputs folder whose default model is the tiny checkpoint."""
    settings = tiny_settings(tmp_path_factory.mktemp("shell"), tiny_checkpoint)
    folders = {
        "DARKROOM_OUTPUTS": str(settings.outputs),
        "DARKROOM_CACHE": str(settings.cache),
        "DARKROOM_WEIGHTS": str(settings.outputs.parent / "weights"),
    }
    return folders | {"DARKROOM_MODEL": "tiny"}


@pytest.fixture
def shell(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Calls the command line in this process; gives exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def hub(
    tmp_path: Path, tiny_checkpoint: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubServer]:
    """A hub that has the tiny checkpoint, and a studio in another outputs folder that knows it as `acme/tiny`."""
    with HubServer() as hub:
        hub.add(REMOTE, tiny_checkpoint)
        monkeypatch.setitem(environment, "HF_ENDPOINT", hub.url)
        monkeypatch.setitem(environment, "HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setitem(environment, "HF_HUB_DOWNLOAD_TIMEOUT", "300")
        monkeypatch.setitem(environment, "DARKROOM_OUTPUTS", str(tmp_path / "outputs"))
        monkeypatch.setitem(environment, "DARKROOM_MODEL", "demo")
        size = sum(file.stat().st_size for file in tiny_checkpoint.rglob("*"))
        remote = record_for(tiny_checkpoint, id=REMOTE, name="Remote", source=REMOTE, download_bytes=size)
        write_models(tmp_path / "outputs" / ".darkroom" / "models.toml", remote)
        yield hub


def start(
    environment: dict[str, str], *arguments: str, stderr: int = subprocess.PIPE, stdin: int | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    variables = os.environ | environment | {"COLUMNS": "120"}
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


@contextlib.contextmanager
def serve(environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A studio that runs the queue of the folder on a free port, and its address, once it answers there."""
    process = start(environment, "serve", "--port", "0", *arguments)
    try:
        first = process.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", first)
        assert found, first + process.communicate()[1]
        httpx2.get(f"{found[0]}/healthz", timeout=300).raise_for_status()
        yield process, found[0]
    finally:
        process.kill()
        process.wait()


def read_terminal(terminal: int) -> str:
    """All that is written to a pseudo-terminal until its other end is closed; closes it."""
    seen = read_until(terminal, None)
    os.close(terminal)
    return seen


def read_until(terminal: int, pattern: str | None) -> str:
    """What is written to a pseudo-terminal until `pattern` is found in it, or until its other end is closed."""
    seen = b""
    with contextlib.suppress(OSError):
        while (pattern is None or not re.search(pattern.encode(), seen)) and (data := os.read(terminal, 4096)):
            seen += data
    return seen.decode(errors="replace")
