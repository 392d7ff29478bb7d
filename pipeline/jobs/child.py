"""The worker's own side: a process that holds the engine and does one thing after another.

Started by `pipeline.jobs.worker` as `python -m pipeline.jobs.child CACHE WEIGHTS INPUTS`. Messages come in on stdin and
go out on what was stdout; whatever a library prints is sent to stderr instead, so that it cannot garble the messages.
When stdin closes, the studio is gone, and so is this process, at once: it never outlives it with a GPU in its hands.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.errors import DarkroomError, EngineFailed, ErrorInfo
from pipeline.events import Cancelled, Event, Failed, Finished
from pipeline.inputs import InputId
from pipeline.jobs.protocol import (
    Broken,
    Cancel,
    Ended,
    FromWorker,
    Happened,
    Loaded,
    Made,
    Measure,
    Measured,
    Preload,
    Ready,
    Release,
    Run,
    Select,
    Selected,
)
from pipeline.request import GenerationRequest

if TYPE_CHECKING:
    from pipeline.engine import Engine


class Mailbox:
    """Both directions of the pipe. Reading happens on a thread of its own, so a cancel is seen in mid-job."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._work: queue.SimpleQueue[Preload | Release | Run | Select] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Preload | Release | Run | Select:
        """Wait for something to do."""
        return self._work.get()

    def is_cancelled(self, job_id: str) -> bool:
        return job_id in self._cancelled

    def send(self, message: FromWorker) -> None:
        with self._sending:
            pickle.dump(message, self._outgoing, protocol=pickle.HIGHEST_PROTOCOL)
            self._outgoing.flush()

    def _read(self) -> None:
        while True:
            try:
                message = pickle.load(self._incoming)
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Cancel):
                self._cancelled.add(message.job_id)
            elif isinstance(message, Measure):
                self.send(Measured(_device_bytes()))
            else:
                self._work.put(message)


def _device_bytes() -> int:
    from pipeline.engine.held import device_bytes

    return device_bytes()


def describe(error: Exception) -> ErrorInfo:
    """Any exception as data; one that is not ours is an `EngineFailed` with the end of its traceback."""
    if isinstance(error, DarkroomError):
        return error.info
    details = "".join(traceback.format_exception(error))[-4000:]
    failed = EngineFailed(
        f"The engine failed: {type(error).__name__}: {error}".splitlines()[0][:300],
        "Try again; if it happens again, report it with the details.",
        details=details,
    )
    return failed.info


def preload(engine: Engine, message: Preload, mailbox: Mailbox) -> None:
    """Make a model ready. A failure is told when somebody asks for the model."""

    def emit(event: Event) -> None:
        mailbox.send(Happened(None, event))

    try:
        engine.load(message.record, GenerationRequest(prompt=message.record.name), emit)
    except Exception:
        traceback.print_exc()
    mailbox.send(Loaded(engine.loaded))


def run(engine: Engine, message: Run, mailbox: Mailbox) -> None:
    """Make the pictures of one job and report how it ended."""
    from pipeline.engine import GenerationCancelled
    from pipeline.engine.chain import chained

    job_id = message.job_id

    def emit(event: Event) -> None:
        mailbox.send(Happened(job_id, event))

    def cancelled() -> bool:
        return mailbox.is_cancelled(job_id)

    try:
        order = message.request, message.records, message.indices, message.made
        for picture in chained(engine, *order, emit, cancelled):
            mailbox.send(Made(job_id, picture))
        ended = Ended(job_id, Finished())
    except GenerationCancelled:
        ended = Ended(job_id, Cancelled())
    except Exception as error:
        ended = Ended(job_id, Failed(error=describe(error)))
    mailbox.send(Loaded(engine.loaded))
    mailbox.send(ended)


def select(engine: Engine, message: Select, mailbox: Mailbox) -> None:
    """Find what is pointed at, or tell why it cannot be found."""
    found: InputId | ErrorInfo
    try:
        found = engine.select(message.segmenter, message.image, message.selection)
    except Exception as error:
        found = describe(error)
    mailbox.send(Selected(message.ticket, found))


def main() -> None:
    """Start the engine, say so, and work until the studio goes away."""
    # Ctrl-C reaches the whole process group; the studio decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    mailbox = Mailbox(sys.stdin.buffer, outgoing)
    try:
        from pipeline.engine import Engine

        engine = Engine(*map(Path, sys.argv[1:4]))
        mailbox.send(Ready(engine.report()))
    except Exception as error:
        mailbox.send(Broken(describe(error)))
        return
    while True:
        message = mailbox.next()
        match message:
            case Preload():
                preload(engine, message, mailbox)
            case Release():
                engine.release()
                mailbox.send(Loaded(None))
            case Run():
                run(engine, message, mailbox)
            case Select():
                select(engine, message, mailbox)


if __name__ == "__main__":
    main()
