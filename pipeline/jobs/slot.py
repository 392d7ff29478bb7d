"""A place for one worker on one device: the process in it, what that holds, and the job that it has in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pipeline.jobs.active import ActiveJob
from pipeline.jobs.protocol import Measure
from pipeline.jobs.state import WorkerState
from pipeline.jobs.worker import Worker
from pipeline.request import Precision


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

    def hold(self, model: str | None) -> None:
        """Note which model is loaded."""
        if model != self.loaded:
            self.precision = None
        self.loaded, self.loading = model, False

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
        self.precision = self.device_bytes = None
        self.worker, self.ready, self.loaded, self.loading, self.active = None, False, None, False, None
        return active
