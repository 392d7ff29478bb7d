"""Gives waiting jobs to free workers, and hears what becomes of them.

Everything here is called with the dispatcher's lock held: `dispatch` by whoever changes the line, and the reactions to
what workers say on their reader threads.
"""

from __future__ import annotations

import threading

from pipeline.errors import DarkroomError, ErrorInfo, WorkerDied
from pipeline.events import Cancelled, Event, Failed, Fetching, Last, Loading, Queued, Step, Warned
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.crew import Crew
from pipeline.jobs.endings import Endings
from pipeline.jobs.ledger import Ledger
from pipeline.jobs.line import WaitingLine
from pipeline.jobs.outside import Outside
from pipeline.jobs.protocol import (
    Broken,
    Ended,
    FromWorker,
    Happened,
    Loaded,
    Made,
    Measured,
    Preload,
    Ready,
    Run,
    Selected,
)
from pipeline.jobs.slot import Slot
from pipeline.jobs.store import JobRow
from pipeline.jobs.surroundings import Surroundings
from pipeline.jobs.worker import cause
from pipeline.models.hardware import EngineReport


class Foreman:
    """Between the waiting line and the crew."""

    def __init__(self, ledger: Ledger, line: WaitingLine, around: Surroundings, lock: threading.RLock) -> None:
        self._ledger, self._line, self._around = ledger, line, around
        crew = around.start_worker, around.environments, lock
        self.crew = Crew(*crew, self._on_message, self._lose, self._fail_waiting)
        self.endings = Endings(ledger, around.keeper, lock)
        self.outside = Outside(ledger, line, around, lock, self.tell_positions)

    @property
    def in_hand(self) -> list[ActiveJob]:
        """The jobs that have begun: those whose last pictures are being saved, those of the workers, and those that
        providers make."""
        return self.endings.jobs + self.crew.active + self.outside.jobs

    def cancel(self, job_id: str) -> None:
        """Stop a job that has begun."""
        self.crew.cancel(job_id)
        self.outside.cancel(job_id)
        for active in self.endings.jobs:
            if active.job_id == job_id:  # it may be about to wait again
                active.cancelled = True

    def tell_positions(self) -> None:
        """Tell every waiting job whose place has changed."""
        for job_id, place in self._line.rearrange(self.crew.loaded).items():
            self._ledger.feed.publish(job_id, Queued(position=place))

    # -- giving -----------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Give every free worker a job, and providers what is for them."""
        if self.crew.closed:
            return
        self.outside.dispatch()
        for slot in self.crew.slots:
            while slot.ready and slot.active is None and (row := self._next(slot)):
                self._line.take(row.id)
                self._give(slot, row)
        self.tell_positions()

    def _next(self, slot: Slot) -> JobRow | None:
        """The job for a free worker, None when it has to wait for other workers first."""
        if any(active.alone for active in self.crew.active):
            return None
        job_id = self._line.next(slot.loaded)
        row = self._ledger.store.get(job_id) if job_id else None
        if row is None or len(self.crew.slots) == 1 or not self._around.needs_all(row):
            return row
        return row if self.crew.emptied_beside(slot) else None

    def _give(self, slot: Slot, row: JobRow) -> None:
        try:
            order = self._order(row)
        except DarkroomError as error:  # a model or a picture was removed while the job waited
            self._ledger.end(row.id, Failed(error=error.info))
            return
        self._ledger.store.begin(row.id)
        alone = len(self.crew.slots) > 1 and self._around.needs_all(row)
        printed = slot.worker.printed.count if slot.worker else 0
        slot.active = ActiveJob(row.id, row.client, printed, row.warnings, alone=alone)
        self._ledger.log.begun(row.id, f"worker {self.crew.slots.index(slot) + 1} on {slot.device}")
        self._ledger.feed.publish(row.id, Loading(component="model", done=0, total=1))
        if slot.worker is not None:
            slot.worker.send(order)

    def _order(self, row: JobRow) -> Run:
        """What a worker is to do: the pictures of a job that were not made before a restart."""
        records = tuple(map(self._around.models.find, row.request.models(row.model)))
        done = {image.index: image for image in self._around.keeper.of_job(row.id)}
        left = tuple(index for index in range(row.request.num_pictures) if index not in done)
        before = {index - row.request.num_images for index in left} & done.keys()
        laid_out = {index: self._around.desk.take(done[index]).id for index in before}
        return Run(row.id, row.request.model_copy(update={"seed": row.seed}), records, left, laid_out)

    # -- hearing ----------------------------------------------------------------------------------------------

    def _on_message(self, slot: Slot, message: FromWorker) -> None:
        match message:
            case Ready(report):
                self._on_ready(slot, report)
            case Broken(error):
                self.crew.broken = error
            case Loaded(model):
                slot.hold(model)
                self.dispatch()
            case Happened(job_id, event):
                self._on_event(slot, job_id, event)
            case Made(job_id, picture):
                slot.precision = picture.recipe.quantization
                self.endings.save(job_id, picture)
            case Ended(job_id, last):
                self._on_ended(slot, job_id, last)
            case Measured(device_bytes):
                slot.device_bytes = device_bytes or None
            case Selected(ticket, found):
                slot.answer(ticket, found)

    def _on_ready(self, slot: Slot, report: EngineReport) -> None:
        self.crew.note_ready(slot)
        slot.device = report.hardware.best.label
        preload = self._around.on_report(report)
        if preload is not None and not slot.rested:
            slot.tell(Preload(preload))
        slot.rested = False
        self.dispatch()

    def _on_event(self, slot: Slot, job_id: str | None, event: Event) -> None:
        """An event of the job in hand; what happens during a preload is news for the job that waits for it, if any."""
        active = slot.active
        slot.loading = isinstance(event, Loading | Fetching) and event.done < event.total
        if active is None or job_id not in {None, active.job_id}:
            return
        if isinstance(event, Step) and not active.denoising:
            self._ledger.store.running(active.job_id)
        active.note(event)
        if isinstance(event, Warned):
            self._ledger.store.warn(active.job_id, active.warnings)
        self._ledger.tell(active.job_id, event)

    def _on_ended(self, slot: Slot, job_id: str, last: Last) -> None:
        active, slot.active = slot.active, None
        if active is None or active.job_id != job_id:
            return
        if slot.worker is not None:
            self._ledger.log.printed(job_id, slot.worker.printed.since(active.printed_before))
        self.endings.end_after_saving(active, last)
        self.dispatch()

    # -- what workers leave behind ----------------------------------------------------------------------------

    def _lose(self, active: ActiveJob, code: int, printed: str) -> None:
        """The worker ended under a job: cancelled jobs wanted that, ones not begun are tried once more."""
        attempts = self._ledger.store.get(active.job_id).attempts
        self._ledger.log.printed(active.job_id, printed.splitlines())
        if active.cancelled:
            self.endings.end_after_saving(active, Cancelled())
        elif active.put_back or (not active.denoising and attempts < 2):
            self.endings.after_saving(active, lambda: self._wait_again(active))
        else:
            died = WorkerDied(
                f"The process that makes the pictures ended in the middle of this job ({cause(code)}).",
                "It has been started again, and finished pictures are safe. Run the job once more.",
                details=printed,
            )
            self.endings.end_after_saving(active, Failed(error=died.info))

    def _wait_again(self, active: ActiveJob) -> None:
        """Put a job that lost its worker back to its place; what it has made stays."""
        job_id, broken = active.job_id, self.crew.broken
        if active.cancelled or broken is not None:
            self._ledger.end(job_id, Failed(error=broken) if broken else Cancelled())
            return
        self._ledger.store.requeue(job_id)
        self._line.join(self._ledger.store.get(job_id))
        self._ledger.log.say(job_id, "warning", "Its worker ended, so it waits to begin again")
        self.dispatch()

    def _fail_waiting(self, error: ErrorInfo) -> None:
        for job_id in self._line.leave_all():
            self._ledger.end(job_id, Failed(error=error))
        self.tell_positions()
