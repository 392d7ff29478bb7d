"""Where jobs, workers and watchers meet: takes jobs in, gives them to free workers, and concludes them.

Everything is a reaction: to a submitted or cancelled job (on the caller's thread) or to a worker's message (on that
worker's reader thread). One lock guards the state; pictures are encoded and saved on a thread of their own, outside
of it, while the worker is already busy with the next one.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from pipeline.errors import ErrorInfo, UnknownModel, WorkerDied
from pipeline.events import (
    Cancelled,
    Event,
    Failed,
    Fetching,
    Last,
    Loading,
    Picture,
    Queued,
    Saved,
    SavedImage,
    Step,
    Warned,
)
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.crew import Crew, Slot
from pipeline.jobs.feed import Feed
from pipeline.jobs.line import Move, WaitingLine
from pipeline.jobs.log import JobLog
from pipeline.jobs.protocol import (
    Broken,
    Cancel,
    Ended,
    FromWorker,
    Happened,
    Loaded,
    Made,
    Measured,
    Preload,
    Ready,
    Release,
    Run,
)
from pipeline.jobs.state import ENDED, JobState, Progress, WorkerState
from pipeline.jobs.store import JobRow, JobStore
from pipeline.jobs.worker import Worker, cause
from pipeline.models.hardware import EngineReport
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest


class Keeper(Protocol):
    """Where pictures go: the gallery, as far as jobs know it."""

    def save(self, picture: Picture, job_id: str) -> SavedImage: ...
    def of_job(self, job_id: str) -> Sequence[SavedImage]: ...


class Finder(Protocol):
    """Who knows the models: the library, as far as jobs know it."""

    def find(self, name: str) -> ModelRecord: ...


class Dispatcher:
    """The queue in motion. Every public method may be called from any thread."""

    def __init__(
        self,
        store: JobStore,
        models: Finder,
        keeper: Keeper,
        start_worker: Callable[..., Worker],
        environments: Sequence[Mapping[str, str]],
        on_report: Callable[[EngineReport], ModelRecord | None],
        needs_all: Callable[[JobRow], bool],
        limits: tuple[int, int],
        log: JobLog,
    ) -> None:
        """`on_report` hears what the engine found and answers with the model to preload; `needs_all` says whether a
        job is too large for one device and takes every one; `limits` are the most waiting jobs of all clients and of
        one."""
        self._store, self._models, self._keeper = store, models, keeper
        self._on_report, self._needs_all = on_report, needs_all
        self._line = WaitingLine(*limits)
        self._lock = threading.RLock()
        self.crew = Crew(start_worker, environments, self._lock, self._on_message, self._lose, self._fail_waiting)
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="saver")
        self._concluding: dict[str, ActiveJob] = {}
        self._closed = False
        self.feed = Feed()
        self.log = log

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what a past process left, and start the workers."""
        with self._lock:
            self._store.requeue_interrupted()
            for row in self._store.queued():
                self._line.join(row)
            self.crew.start()
            self._tell_positions()

    def close(self, keep: bool) -> None:
        """Stop the workers. Unfinished jobs stay in the store for the next start, or are cancelled if not `keep`."""
        with self._lock:
            self._closed = True
            left = [] if keep else self.unfinished()
            workers = self.crew.dismiss()
        for worker in workers:
            worker.close()
        self._saver.shutdown(wait=True)
        for job_id in left:
            if self._store.get(job_id).status not in ENDED:
                self._end(job_id, Cancelled())

    # -- jobs -------------------------------------------------------------------------------------------------

    def submit(
        self,
        request: GenerationRequest,
        model: str,
        seed: int,
        client: str,
        key: str | None,
        warnings: tuple[str, ...] = (),
    ) -> str:
        """Queue a job and return its id; the id of the earlier one when `key` was used before. Raises `QueueFull`."""
        with self._lock:
            earlier = self._store.with_key(client, key) if key else None
            if earlier is not None:
                return earlier.id
            self._line.check_room(client)
            self.crew.revive()
            row = self._store.add(secrets.token_hex(8), client, request, model, seed, key, warnings)
            self.log.queued(row.id, request, model, seed)
            for warning in warnings:
                self._tell(row.id, Warned(message=warning))
            self._line.join(row)
            self._dispatch()
            return row.id

    def cancel(self, job_id: str) -> None:
        """Stop a job wherever it is; one that has ended stays as it is. Raises `NotFound`."""
        with self._lock:
            self._store.get(job_id)
            if self._line.leave(job_id):
                self._end(job_id, Cancelled())
                self._tell_positions()
                return
            for slot in self.crew.slots:
                if slot.active is not None and slot.active.job_id == job_id and not slot.active.cancelled:
                    self._cancel_active(slot, slot.active)
            if job_id in self._concluding:  # and may be about to wait again
                self._concluding[job_id].cancelled = True

    def move(self, job_id: str, to: Move) -> None:
        """Change the order of a client's waiting jobs; one that does not wait stays where it is. Raises `NotFound`."""
        with self._lock:
            self._store.get(job_id)
            self._store.rerank(self._line.move(job_id, to))
            self._tell_positions()

    def restart(self, place: int) -> None:
        """End the worker at `place` and start another, which holds no model; its job begins again as the next one."""
        with self._lock:
            self.crew.end(place)

    def state(self, row: JobRow) -> JobState:
        """`row` with everything that is only known while it runs."""
        with self._lock:
            active = self._active(row.id)
            position = self._line.place(row.id)
        return JobState(
            id=row.id,
            client=row.client,
            status=row.status,
            request=row.request,
            model=row.model,
            seed=row.seed,
            position=position,
            progress=active.progress if active else Progress(),
            images=tuple(self._keeper.of_job(row.id)),
            warnings=active.warnings if active else row.warnings,
            error=row.error,
            restarted=row.restarted,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )

    def unfinished(self, client: str | None = None) -> list[str]:
        """Ids of the jobs in hand, then of the waiting ones in order: of one client or of all."""
        with self._lock:
            begun = [active.job_id for active in self._begun() if client in {None, active.client}]
            return begun + self._line.in_order(client)

    def others_before(self, client: str) -> int:
        """How many jobs of others are in hand, or come before the first waiting one of `client`."""
        with self._lock:
            return self._line.others_before(client) + sum(active.client != client for active in self._begun())

    def ahead(self, client: str, model: str) -> tuple[list[tuple[JobRow, Progress] | None], list[JobRow]]:
        """What comes before a job that `client` queued now: what each worker has in hand, None for nothing, and the
        waiting jobs, next first."""
        with self._lock:
            actives = [slot.active for slot in self.crew.slots]
            rows = self._line.before(client, model, self.crew.loaded)
        return [(self._store.get(one.job_id), one.progress) if one else None for one in actives], rows

    def holds(self, model: str, precision: str) -> bool:
        """Whether a worker has the model loaded, with its weights in that precision as far as that is known."""
        with self._lock:
            return any(slot.loaded == model and slot.precision in {None, precision} for slot in self.crew.slots)

    def worker_states(self) -> tuple[WorkerState, ...]:
        """The workers, in the order of their places."""
        with self._lock:
            return tuple(slot.state(place) for place, slot in enumerate(self.crew.slots))

    # -- the queue (called with the lock held) ----------------------------------------------------------------

    def _tell(self, job_id: str, event: Event) -> None:
        self.log.note(job_id, event)
        self.feed.publish(job_id, event)

    def _begun(self) -> list[ActiveJob]:
        """The jobs in hand: those whose last pictures are being saved, and those of the workers."""
        active = [slot.active for slot in self.crew.slots if slot.active is not None]
        return [one for one in self._concluding.values() if one not in active] + active

    def _tell_positions(self) -> None:
        for job_id, place in self._line.rearrange(self.crew.loaded).items():
            self.feed.publish(job_id, Queued(position=place))

    def _dispatch(self) -> None:
        """Give every free worker a job."""
        if self._closed:
            return
        for slot in self.crew.slots:
            while slot.ready and slot.active is None and (row := self._next(slot)):
                self._line.take(row.id)
                self._give(slot, row)
        self._tell_positions()

    def _next(self, slot: Slot) -> JobRow | None:
        """The job for a free worker, None when it has to wait for other workers first."""
        others = [other for other in self.crew.slots if other is not slot]
        if any(other.active is not None and other.active.alone for other in others):
            return None
        job_id = self._line.next(slot.loaded)
        row = self._store.get(job_id) if job_id else None
        if row is None or not others or not self._needs_all(row):
            return row
        return row if self._emptied(others) else None

    def _emptied(self, slots: Sequence[Slot]) -> bool:
        """Whether these workers hold nothing; asks those that are idle to let go of their models."""
        for slot in slots:
            if slot.worker is not None and slot.loaded and slot.active is None and not slot.loading:
                slot.loading = True
                slot.worker.send(Release())
        return not any(slot.active or slot.loading or slot.loaded for slot in slots)

    def _give(self, slot: Slot, row: JobRow) -> None:
        job_id = row.id
        try:
            record = self._models.find(row.model)
        except UnknownModel as error:  # its record was removed while the job waited
            self._end(job_id, Failed(error=error.info))
            return
        self._store.begin(job_id)
        alone = len(self.crew.slots) > 1 and self._needs_all(row)
        printed = slot.worker.printed.count if slot.worker else 0
        slot.active = ActiveJob(job_id, row.client, printed, row.warnings, alone=alone)
        self.log.begun(job_id, f"worker {self.crew.slots.index(slot) + 1} on {slot.device}")
        done = {image.index for image in self._keeper.of_job(job_id)}
        left = tuple(index for index in range(row.request.num_images) if index not in done)
        request = row.request.model_copy(update={"seed": row.seed})
        self.feed.publish(job_id, Loading(component="model", done=0, total=1))
        if slot.worker is not None:
            slot.worker.send(Run(job_id, request, record, left))

    def _active(self, job_id: str) -> ActiveJob | None:
        running = (slot.active for slot in self.crew.slots if slot.active and slot.active.job_id == job_id)
        return next(running, self._concluding.get(job_id))

    def _cancel_active(self, slot: Slot, active: ActiveJob) -> None:
        active.cancelled = True
        worker = slot.worker
        if worker is None:
            return
        worker.send(Cancel(active.job_id))
        timer = threading.Timer(active.grace, self._end_if_hung, (slot, active, worker))
        timer.daemon = True
        timer.start()

    def _end_if_hung(self, slot: Slot, active: ActiveJob, worker: Worker) -> None:
        with self._lock:
            if slot.active is active and slot.worker is worker:
                worker.kill()

    # -- workers ----------------------------------------------------------------------------------------------

    def _on_message(self, slot: Slot, message: FromWorker) -> None:
        match message:
            case Ready(report):
                self._on_ready(slot, report)
            case Broken(error):
                self.crew.broken = error
            case Loaded(model):
                slot.hold(model)
                self._dispatch()
            case Happened(job_id, event):
                self._on_event(slot, job_id, event)
            case Made(job_id, picture):
                slot.precision = picture.recipe.quantization
                self._saver.submit(self._save, job_id, picture)
            case Ended(job_id, last):
                self._on_ended(slot, job_id, last)
            case Measured(device_bytes):
                slot.device_bytes = device_bytes or None

    def _on_ready(self, slot: Slot, report: EngineReport) -> None:
        self.crew.note_ready(slot)
        slot.device = report.hardware.best.label
        preload = self._on_report(report)
        if preload is not None and slot.worker is not None and not slot.rested:
            slot.loading = True
            slot.worker.send(Preload(preload))
        slot.rested = False
        self._dispatch()

    def _on_event(self, slot: Slot, job_id: str | None, event: Event) -> None:
        """An event of the job in hand; what happens during a preload is news for the job that waits for it, if any."""
        active = slot.active
        slot.loading = isinstance(event, Loading | Fetching) and event.done < event.total
        if active is None or job_id not in {None, active.job_id}:
            return
        if isinstance(event, Step) and not active.denoising:
            self._store.running(active.job_id)
        active.note(event)
        if isinstance(event, Warned):
            self._store.warn(active.job_id, active.warnings)
        self._tell(active.job_id, event)

    def _on_ended(self, slot: Slot, job_id: str, last: Last) -> None:
        active, slot.active = slot.active, None
        if active is None or active.job_id != job_id:
            return
        if slot.worker is not None:
            self.log.printed(job_id, slot.worker.printed.since(active.printed_before))
        self._end_after_saving(active, last)
        self._dispatch()

    def _lose(self, active: ActiveJob, code: int, printed: str) -> None:
        """The worker ended under a job: cancelled jobs wanted that, ones not begun are tried once more."""
        attempts = self._store.get(active.job_id).attempts
        self.log.printed(active.job_id, printed.splitlines())
        if active.cancelled:
            self._end_after_saving(active, Cancelled())
        elif active.put_back or (not active.denoising and attempts < 2):
            self._concluding[active.job_id] = active
            self._saver.submit(self._wait_again, active.job_id)
        else:
            died = WorkerDied(
                f"The process that makes the pictures ended in the middle of this job ({cause(code)}).",
                "It has been started again, and finished pictures are safe. Run the job once more.",
                details=printed,
            )
            self._end_after_saving(active, Failed(error=died.info))

    def _fail_waiting(self, error: ErrorInfo) -> None:
        for job_id in self._line.leave_all():
            self._end(job_id, Failed(error=error))
        self._tell_positions()

    # -- the end of a job ---------------------------------------------------------------------------------------

    def _end(self, job_id: str, last: Last) -> None:
        """Write the end down, then tell it: whoever hears it can rely on it."""
        self._store.end(job_id, last.type, last.error if isinstance(last, Failed) else None)
        self._tell(job_id, last)

    def _end_after_saving(self, active: ActiveJob, last: Last) -> None:
        """End a job once the pictures that it has made are saved; until then it counts as unfinished."""
        self._concluding[active.job_id] = active
        self._saver.submit(self._conclude, active.job_id, last)

    # -- on the saver's thread ----------------------------------------------------------------------------------

    def _save(self, job_id: str, picture: Picture) -> None:
        image = self._keeper.save(picture, job_id)
        self._tell(job_id, Saved(image=image))

    def _wait_again(self, job_id: str) -> None:
        """Put a job that lost its worker back to its place, once what it has made is saved; that stays."""
        with self._lock:
            cancelled = self._concluding.pop(job_id).cancelled
            if cancelled or self.crew.broken is not None:
                self._end(job_id, Failed(error=self.crew.broken) if self.crew.broken else Cancelled())
                return
            self._store.requeue(job_id)
            self._line.join(self._store.get(job_id))
            self.log.say(job_id, "warning", "Its worker ended, so it waits to begin again")
            self._dispatch()

    def _conclude(self, job_id: str, last: Last) -> None:
        with self._lock:
            self._concluding.pop(job_id, None)
            self._end(job_id, last)
