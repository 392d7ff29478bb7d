"""The workers: a slot for each device, and in it a process that is started, replaced when it ends, and given up when
it cannot start.

One lock, the dispatcher's, guards everything here: it is held by whoever calls, and taken when a worker calls back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import EngineFailed, ErrorInfo
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.protocol import FromWorker
from pipeline.jobs.worker import Worker, cause

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

    def vacate(self) -> ActiveJob | None:
        """Forget the process that was here; returns the job that it had in hand."""
        active = self.active
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
            if not was_ready and self.broken is None:
                self._count_fast_death(code, printed)
            if self.broken is None:
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
