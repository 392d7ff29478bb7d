"""The workers: a slot for each device, and in it a process that is started, replaced when it ends, and given up when
it cannot start.

One lock, the dispatcher's, guards everything here: it is held by whoever calls, and taken when a worker calls back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pipeline.errors import EngineFailed, ErrorInfo
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.protocol import FromWorker, Measure
from pipeline.jobs.state import WorkerState
from pipeline.jobs.worker import Worker, cause
from pipeline.request import Precision

MAX_FAST_DEATHS = 3
"""Workers in a row that may end before they were ready, until the engine counts as broken."""


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


class Crew:
    """All slots, and whether the engine can run at all."""

    def __init__(
        self,
        start_worker: Callable[..., Worker],
        environments: Sequence[Mapping[str, str]],
        lock: threading.RLock,
        on_message: Callable[[Slot, FromWorker], None],
        on_lost: Callable[[ActiveJob, int, str], None],
        on_broken: Callable[[ErrorInfo], None],
    ) -> None:
        """`on_lost` hears of a job whose worker ended, with exit code and last words; `on_broken` that no worker will
        be started any more."""
        self.slots = [Slot(environment) for environment in environments]
        self.broken: ErrorInfo | None = None
        """Why the engine cannot run; None while it can, or may."""
        self._start_worker, self._lock = start_worker, lock
        self._on_message, self._on_lost, self._on_broken = on_message, on_lost, on_broken
        self._fast_deaths = 0
        self._closed = False

    def start(self) -> None:
        """Start a worker in every slot that has none."""
        for slot in self.slots:
            if slot.worker is None:
                self._start(slot)

    def revive(self) -> None:
        """Try again after the engine could not start: what was missing may be there now."""
        if self.broken is not None:
            self.broken, self._fast_deaths = None, 0
            self.start()

    def end(self, place: int) -> None:
        """End the worker at `place`, to give all its memory back; another takes its place and holds no model."""
        slot = self.slots[place]
        if slot.worker is None:
            self.revive()
            return
        slot.rested = True
        if slot.active is not None:
            slot.active.put_back = True
        slot.worker.kill()

    def dismiss(self) -> list[Worker]:
        """Start no more workers; returns those that are to be closed, which takes time and no lock."""
        self._closed = True
        return [slot.worker for slot in self.slots if slot.worker is not None]

    def note_ready(self, slot: Slot) -> None:
        """The worker in `slot` has come up."""
        slot.ready, self._fast_deaths = True, 0

    @property
    def ready(self) -> bool:
        return any(slot.ready for slot in self.slots)

    @property
    def busy(self) -> bool:
        return any(slot.active is not None for slot in self.slots)

    @property
    def loading(self) -> bool:
        return any(slot.loading for slot in self.slots)

    @property
    def loaded(self) -> str | None:
        """The model that a worker holds."""
        return next((slot.loaded for slot in self.slots if slot.loaded), None)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(slot.worker.pid for slot in self.slots if slot.worker is not None)

    def _start(self, slot: Slot) -> None:
        try:
            slot.worker = self._start_worker(slot.environment, self._hear, self._replace)
        except OSError as error:
            self.broken = EngineFailed(f"The worker process could not start: {error}.", "Free some memory.").info
            return
        slot.worker.listen()

    def _slot(self, worker: Worker) -> Slot | None:
        return next((slot for slot in self.slots if slot.worker is worker), None)

    def _hear(self, worker: Worker, message: FromWorker) -> None:
        with self._lock:
            slot = self._slot(worker)
            if slot is not None:
                self._on_message(slot, message)

    def _replace(self, worker: Worker, code: int, printed: str) -> None:
        """A worker ended: tell of the job that it had in hand, and start another, unless that is hopeless."""
        with self._lock:
            slot = self._slot(worker)
            if slot is None or self._closed:
                return
            was_ready, active = slot.ready, slot.vacate()
            if active is not None:
                self._on_lost(active, code, printed)
            if not was_ready and not slot.rested and self.broken is None:
                self._count_fast_death(code, printed)
            if self.broken is None:
                slot.restarts += 1
                self._start(slot)
            else:
                self._on_broken(self.broken)

    def _count_fast_death(self, code: int, printed: str) -> None:
        self._fast_deaths += 1
        if self._fast_deaths >= MAX_FAST_DEATHS:
            self.broken = EngineFailed(
                f"The engine could not start ({cause(code)}), {self._fast_deaths} times in a row.",
                "Run `python -m pipeline doctor`; it says what is missing.",
                details=printed,
            ).info
