"""What the scripts share: a fresh studio, a running server, and the table that they print."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import httpx2

from pipeline.models import hardware
from pipeline.models.registry import ROOT
from pipeline.settings import Settings

PROMPT = "a red house by a lake at dusk, watercolour"
MODEL = "demo"
PATIENCE = 120.0
"""Seconds after which a server that does not answer counts as broken."""


@dataclass(frozen=True)
class Server:
    """A server that was just started: `begun` is the moment before, on `time.perf_counter`."""

    url: str
    process: subprocess.Popen[bytes]
    begun: float

    def seconds(self) -> float:
        """Time since the start."""
        return time.perf_counter() - self.begun

    def wait_until_alive(self, path: str = "/healthz") -> float:
        """Seconds from the start until `path` answers; raises `RuntimeError` when it never will."""
        while self.process.poll() is None and self.seconds() < PATIENCE:
            try:
                httpx2.get(self.url + path).raise_for_status()
                return self.seconds()
            except httpx2.TransportError:
                time.sleep(0.01)
        raise RuntimeError(f"The studio did not answer at {self.url}.")


@contextmanager
def server(outputs: Path | None = None, script: str = "app.py") -> Iterator[Server]:
    """The studio on a free port, with the default settings and an empty outputs folder, or the one given; or another
    script of Streamlit's."""
    command = ["streamlit", "run", script, "--server.port"]
    with tempfile.TemporaryDirectory() as empty, _started(command, outputs or Path(empty)) as started:
        yield started


@contextmanager
def service(outputs: Path, **environment: str) -> Iterator[Server]:
    """The API without the pages, on a free port, ready to answer."""
    command = ["uvicorn", "api.alone:app", "--log-level", "warning", "--port"]
    with _started(command, outputs, **environment) as started:
        started.wait_until_alive()
        yield started


@contextmanager
def _started(command: Sequence[str], outputs: Path, **environment: str) -> Iterator[Server]:
    """What a module of Python's runs as, its port last; ended at the end if it has not by then."""
    port = _free_port()
    own = {"DARKROOM_OUTPUTS": str(outputs), "DARKROOM_MODEL": MODEL}
    whole = [sys.executable, "-m", *command, str(port)]
    begun = time.perf_counter()
    process = subprocess.Popen(whole, cwd=ROOT, env=os.environ | own | environment, stdout=subprocess.DEVNULL)
    try:
        yield Server(f"http://127.0.0.1:{port}", process, begun)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def empty_outputs() -> Iterator[Settings]:
    """Settings for a studio in this process that leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        yield Settings(outputs=Path(folder), model=MODEL)


def table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print rows of (what, measured, goal) under the title and a line that names the machine."""
    widths = [max(len(row[column]) for row in (("", "measured", "goal"), *rows)) for column in range(3)]
    print(f"\n{title}\n{_machine()}\n")
    for what, measured, goal in (("", "measured", "goal"), *rows):
        print(f"  {what:<{widths[0]}}  {measured:>{widths[1]}}  {goal:>{widths[2]}}".rstrip())


def middle(values: Sequence[float], digits: int = 2) -> str:
    """The median with the range around it."""
    return f"{median(values):.{digits}f}  ({min(values):.{digits}f} to {max(values):.{digits}f}, n = {len(values)})"


def _machine() -> str:
    best = hardware.detect().best
    system = f"{platform.system()} {platform.machine()}"
    return f"{best.label}, {system}, Python {platform.python_version()}, torch {version('torch')}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
