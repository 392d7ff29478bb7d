"""A place for one worker on one device: the process in it, what that holds, and the job that it has in hand."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pipeline.errors import DarkroomError, ErrorInfo, WorkerDied
from pipeline.inputs import InputId, Selection
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.protocol import Measure, Preload, Release, Select
from pipeline.jobs.state import WorkerState
from pipeline.jobs.worker import Worker
from pipeline.models.segmenters import Segmenter
from pipeline.request import Precision

_NO_ANSWER = WorkerDied("The process that looks at pictures ended.", "Another one is started. Try again.").info


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one worker on one device; the process in it may be replaced."""

    environment: Mapping[str, str]
    worker: Worker | None = None
    ready: bool = False
    loaded: str | None = None
    loading: bool = False
    active: ActiveJob | None = None
    device: str = ""
    precision: Precision | None = None
    """Of the weights that are held, as the last picture told."""
    device_bytes: int | None = None
    restarts: int = 0
    rested: bool = False
    """Whether it was ended on purpose to give its memory back: its successor loads nothing before it has to."""
    asked: dict[str, Future[InputId]] = field(default_factory=dict)
    """Who waits for its answers to selections, by ticket."""

    @property
    def is_free(self) -> bool:
        """Whether its worker is there and does nothing."""
        return self.ready and self.active is None and not self.loading

    def tell(self, message: Preload | Release) -> None:
        """Have the worker load a model or let go of it; `Loaded` is the answer to both."""
        if self.worker is not None:
            self.loading = True
            self.worker.send(message)

    def hold(self, model: str | None) -> None:
        """Note which model is loaded."""
        if model != self.loaded:
            self.precision = None
        self.loaded, self.loading = model, False

    def select(self, segmenter: Segmenter, image: InputId, selection: Selection) -> Future[InputId]:
        """Have the worker find what is pointed at in a picture, after what it has in hand."""
        ticket, answer = secrets.token_hex(8), Future[InputId]()
        self.asked[ticket] = answer
        if self.worker is None:
            self.give_up()
        else:
            self.worker.send(Select(ticket, segmenter, image, selection))
        return answer

    def answer(self, ticket: str, found: InputId | ErrorInfo) -> None:
        """Tell who waits for it what was found, if anybody still does."""
        waiting = self.asked.pop(ticket, None)
        if waiting is None or not waiting.set_running_or_notify_cancel():
            return
        if isinstance(found, ErrorInfo):
            waiting.set_exception(DarkroomError.from_info(found))
        else:
            waiting.set_result(found)

    def give_up(self) -> None:
        """Tell all who wait for answers that none will come."""
        for ticket in tuple(self.asked):
            self.answer(ticket, _NO_ANSWER)

    def state(self, place: int) -> WorkerState:
        """The worker as others see it; asks it for the memory that it holds, for the next time."""
        worker = self.worker
        if worker is not None and self.ready:
            worker.send(Measure())
        return WorkerState(
            place=place,
            status=self._status,
            device=self.device,
            pid=worker.pid if worker else None,
            model=self.loaded,
            precision=self.precision,
            job_id=self.active.job_id if self.active else None,
            memory_bytes=worker.memory_bytes if worker else None,
            device_bytes=self.device_bytes,
            started_at=datetime.fromtimestamp(worker.started_at, UTC) if worker else None,
            restarts=self.restarts,
        )

    @property
    def _status(self) -> Literal["off", "starting", "loading", "ready", "busy"]:
        if self.worker is None:
            return "off"
        if not self.ready:
            return "starting"
        if self.loading:
            return "loading"
        return "busy" if self.active else "ready"

    def vacate(self) -> ActiveJob | None:
        """Forget the process that was here; returns the job that it had in hand."""
        active = self.active
        self.give_up()
        self.precision = self.device_bytes = None
        self.worker, self.ready, self.loaded, self.loading, self.active = None, False, None, False, None
        return active
