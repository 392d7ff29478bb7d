"""The studio's side of a worker: starts the child process, talks to it, notices its end.

The child is a plain subprocess and not a `multiprocessing` one: that would run the caller's main script again,
which is Streamlit's command, or a notebook's.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, cast

import psutil

from pipeline.jobs.printed import Printed
from pipeline.jobs.protocol import FromWorker, ToWorker
from pipeline.models.registry import ROOT

_TAIL = 4000
_LAST_WORDS = 1.0
"""Seconds for what a child printed to arrive after its end."""
_CALM = {"OMP_WAIT_POLICY": "PASSIVE", "TORCHDYNAMO_DISABLE": "1"}
"""How torch behaves unless the user's own environment says otherwise. Its threads sleep while they wait for each other:
by default they spin, which on cores that have other work too makes a picture take hundreds of times as long. Nothing is
compiled: pictures would depend on the compilers of a machine, and bitsandbytes, which asks for it when it is imported,
makes a worker's start longer by a fifth."""


class Worker:
    """One child process. `on_message` and `on_exit` are called on the worker's own reader thread."""

    def __init__(
        self,
        folders: tuple[Path, Path, Path],
        environment: Mapping[str, str],
        on_message: Callable[[Worker, FromWorker], None],
        on_exit: Callable[[Worker, int, str], None],
    ) -> None:
        """Start the child; `folders` are its cache, the one with LoRAs and VAEs, and the one with the pictures that
        requests bring along.

        `on_exit` gets the exit code (negative: the signal) and the end of what the child printed.
        """
        self._on_message, self._on_exit = on_message, on_exit
        self.started_at = time.time()
        """When it was started, in seconds since the epoch."""
        self._sending = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.jobs.child", *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(os.environ, environment),
        )
        self.printed = Printed(cast(IO[bytes], self._process.stderr))
        self._reader = threading.Thread(target=self._read, name=f"worker-{self.pid}", daemon=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def memory_bytes(self) -> int | None:
        """Main memory that the child takes; None when it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None

    def listen(self) -> None:
        """Begin to call back."""
        self._reader.start()

    def send(self, message: ToWorker) -> None:
        """Tell the child something. If it is gone, `on_exit` says so soon enough."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            pickle.dump(message, self._stdin)
            self._stdin.flush()

    def kill(self) -> None:
        """End the child at once: the certain way to stop a hung step and to give memory back."""
        self._process.kill()

    def close(self, timeout: float = 2.0) -> None:
        """Close the child's stdin, at which it leaves; kill it when it does not."""
        with self._sending, contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(timeout)

    @property
    def _stdin(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdin)

    def _read(self) -> None:
        stdout = cast(IO[bytes], self._process.stdout)
        while True:
            try:
                message = pickle.load(stdout)
            except (EOFError, OSError, pickle.UnpicklingError):
                break
            self._on_message(self, message)
        code = self._process.wait()
        self._on_exit(self, code, self.printed.tail(_TAIL, _LAST_WORDS))
        stdout.close()


def child_environment(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: the user's `own`, over what is calm, and under what is `given` to this worker."""
    path = os.pathsep.join(filter(None, [str(ROOT), own.get("PYTHONPATH")]))
    return {**_CALM, **own, **given, "PYTHONPATH": path}


def cause(code: int) -> str:
    """What a child's exit code says about its end."""
    if code == -9:
        return "it was killed, as the system does when memory runs out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
