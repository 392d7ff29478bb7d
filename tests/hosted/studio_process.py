"""A persistent studio without workers, in a process that a test may kill: `python -m tests.hosted.studio_process MODEL`
submits a job and prints its id, and cancels it when a line comes. With `dies` behind that, the process ends when the
first picture is to be saved."""

from __future__ import annotations

import os
import signal
import sys
from typing import Never

from pipeline.request import GenerationRequest
from tests.hosted.conftest import HostedStudio


def _die(*_: object) -> Never:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def main(model: str, *rest: str) -> None:
    """Run until somebody ends it."""
    with HostedStudio(persistent=True) as studio:
        if rest:
            studio.gallery.save = _die  # type: ignore[method-assign]
        job = studio.submit(GenerationRequest(prompt="a boat", model=model))
        _tell(job.id)
        for _ in sys.stdin:
            job.cancel()
            _tell("cancelled")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
