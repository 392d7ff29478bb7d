"""The workers: a slot for each device, and in it a process that is started, replaced when it ends, and given up when
it cannot start.

One lock, the dispatcher's, guards everything here: it is held by whoever calls, and taken when a worker calls back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Literal

from pipeline.errors import Busy, DarkroomError, EngineFailed, ErrorInfo, NotFound, QueueFull
from pipeline.inputs import InputId, Selection
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.protocol import Cancel, FromWorker, Preload, Release
from pipeline.jobs.slot import Slot
from pipeline.jobs.worker import Worker, cause
from pipeline.models.registry import ModelRecord
from pipeline.models.segmenters import Segmenter

MAX_FAST_DEATHS = 3
"""Workers in a row that may end before they were ready, until the engine counts as broken."""
MAX_SELECTIONS = 16
"""Selections that may wait for one worker: a person waits for one at a time."""


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
        self.closed = False
        """Whether no more workers are started, nor jobs given to those that are left."""
        self._start_worker, self._lock = start_worker, lock
        self._on_message, self._on_lost, self._on_broken = on_message, on_lost, on_broken
        self._fast_deaths = 0

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
        """End the worker at `place`, to give all its memory back; another takes its place and holds no model. Raises
        `NotFound`."""
        if not 0 <= place < len(self.slots):
            raise NotFound(f"There is no worker {place}.", f"They are counted from 0 to {len(self.slots) - 1}.")
        slot = self.slots[place]
        if slot.worker is None:
            self.revive()
            return
        slot.rested = True
        if slot.active is not None:
            slot.active.put_back = True
        slot.worker.kill()

    def load(self, record: ModelRecord) -> None:
        """Have a worker without a job make a model ready, if none holds it already. Raises `Busy`."""
        if any(slot.loaded == record.id and not slot.loading for slot in self.slots):
            return
        free = [slot for slot in self.slots if slot.is_free]
        if not free:
            raise Busy("Every worker starts, loads or has a job in hand.", "A job with that model loads it by itself.")
        min(free, key=lambda slot: slot.loaded is not None).tell(Preload(record))

    def unload(self, model: str) -> None:
        """Have the workers that hold a model give its memory back. Raises `Busy` when one has a job in hand."""
        holding = [slot for slot in self.slots if slot.loaded == model]
        if not all(slot.is_free for slot in holding):
            raise Busy("A worker has a job in hand with that model.", "Cancel the job, or wait for its end.")
        for slot in holding:
            slot.tell(Release())

    def cancel(self, job_id: str) -> None:
        """Have a worker stop the job, if one has it in hand; a worker that does not react in time is ended."""
        for slot in self.slots:
            active, worker = slot.active, slot.worker
            if active is None or active.job_id != job_id or active.cancelled:
                continue
            active.cancelled = True
            if worker is not None:
                worker.send(Cancel(job_id))
                timer = threading.Timer(active.grace, self._end_if_hung, (slot, active, worker))
                timer.daemon = True
                timer.start()

    def select(self, segmenter: Segmenter, image: InputId, selection: Selection) -> Future[InputId]:
        """Ask the worker that seems to be free first what is pointed at in a picture. Raises `QueueFull`, and
        `EngineFailed` or `DependencyMissing` where no worker can start."""
        self.revive()
        if self.broken is not None:
            raise DarkroomError.from_info(self.broken)
        slot = min(self.slots, key=lambda slot: (not slot.ready, slot.active is not None, slot.loading))
        if len(slot.asked) >= MAX_SELECTIONS:
            message = f"{MAX_SELECTIONS} selections are waiting already."
            raise QueueFull(message, "Try again when some are answered.")
        return slot.select(segmenter, image, selection)

    def emptied_beside(self, slot: Slot) -> bool:
        """Whether all other workers hold nothing; asks those that are idle to let go of their models."""
        others = [other for other in self.slots if other is not slot]
        for other in others:
            if other.loaded and other.is_free:
                other.tell(Release())
        return not any(other.active or other.loading or other.loaded for other in others)

    def dismiss(self) -> list[Worker]:
        """Start no more workers; returns those that are to be closed, which takes time and no lock."""
        self.closed = True
        for slot in self.slots:
            slot.give_up()
        return [slot.worker for slot in self.slots if slot.worker is not None]

    def note_ready(self, slot: Slot) -> None:
        """The worker in `slot` has come up."""
        slot.ready, self._fast_deaths = True, 0

    @property
    def active(self) -> list[ActiveJob]:
        """The jobs that workers have in hand."""
        return [slot.active for slot in self.slots if slot.active is not None]

    @property
    def status(self) -> Literal["starting", "loading", "ready", "busy", "failed"]:
        """What the workers do, all together, once they were started."""
        if self.broken is not None:
            return "failed"
        if not any(slot.ready for slot in self.slots):
            return "starting"
        if any(slot.loading for slot in self.slots):
            return "loading"
        return "busy" if self.active else "ready"

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

    def _end_if_hung(self, slot: Slot, active: ActiveJob, worker: Worker) -> None:
        with self._lock:
            if slot.active is active and slot.worker is worker:
                worker.kill()

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
            if slot is None or self.closed:
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
