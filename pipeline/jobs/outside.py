"""Jobs that are made elsewhere, by providers: each on a thread of its own, beside the workers.

As in `foreman`, everything here is called with the dispatcher's lock held, but for what the threads do. A picture is
saved on the job's own thread, as soon as it has come. A job that is cancelled ends at once; what was ordered for it by
then cannot be taken back, so it is waited for and saved all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from pipeline.errors import DarkroomError, EngineFailed, ErrorInfo, NotFound
from pipeline.events import Asked, Cancelled, Event, Failed, Finished, Last, Queued, Saved, Warned
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.ledger import Ledger
from pipeline.jobs.line import WaitingLine
from pipeline.jobs.state import ENDED
from pipeline.jobs.store import JobRow
from pipeline.jobs.surroundings import Surroundings

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that pictures which were ordered may take to come, when the studio ends."""


@dataclass(slots=True, eq=False)
class _Errand:
    """A job in hand."""

    row: JobRow
    lane: str
    active: ActiveJob
    stop: threading.Event = field(default_factory=threading.Event)
    over: bool = False
    """Whether its end is told, although something may still come."""


class Outside:
    """The jobs that providers have in hand."""

    def __init__(
        self,
        ledger: Ledger,
        line: WaitingLine,
        around: Surroundings,
        lock: threading.RLock,
        on_moved: Callable[[], None],
    ) -> None:
        """`on_moved` hears that places in the line have changed."""
        self._ledger, self._line, self._around, self._lock = ledger, line, around, lock
        self._on_moved = on_moved
        self._errands: dict[str, _Errand] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def jobs(self) -> list[ActiveJob]:
        """The jobs that have begun."""
        return [errand.active for errand in self._errands.values()]

    def recover(self) -> None:
        """Save the pictures that came before the studio ended and did not reach the gallery."""
        keeper, hosted = self._around.keeper, self._around.hosted
        for job_id, picture in hosted.recover():
            saved = {image.index for image in keeper.of_job(job_id)}
            if picture.index in saved or keeper.save(picture, job_id).path is not None:
                hosted.settle(job_id, picture.index)

    def take_up(self) -> None:
        """Wait for what was ordered for jobs that had ended by the time the studio did, and save it: those that were
        cancelled."""
        for job_id in self._around.hosted.under_way:
            with suppress(NotFound):
                row = self._ledger.store.get(job_id)
                if row.status in ENDED:
                    errand = _Errand(row, self._around.hosted.lane(row.model), ActiveJob(job_id, row.client), over=True)
                    errand.stop.set()
                    self._start(errand)

    def dispatch(self) -> None:
        """Begin jobs, as many for each provider as it may have in hand."""
        if self._closed:
            return
        for lane in self._line.providers:
            while self.has_room(lane) and (job_id := self._line.next(None, lane)):
                self._line.take(job_id)
                self._begin(job_id, lane)

    def has_room(self, lane: str) -> bool:
        """Whether a provider may have one more job in hand."""
        in_hand = sum(errand.lane == lane for errand in self._errands.values())
        return in_hand < self._around.hosted.jobs_at_once

    def cancel(self, job_id: str) -> None:
        """End a job that has begun, and order nothing more for it."""
        errand = self._errands.get(job_id)
        if errand is not None:
            errand.stop.set()
            self._end(errand, Cancelled())

    def stop(self) -> None:
        """Begin nothing more, and order nothing more."""
        self._closed = True
        for errand in self._errands.values():
            errand.stop.set()

    def wait(self) -> None:
        """Wait a while for what is ordered, without the lock. Jobs that are not done then stay unfinished."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for errand in self._errands.values():
                errand.over = True

    # -- on the threads -----------------------------------------------------------------------------------------

    def _begin(self, job_id: str, lane: str) -> None:
        row = self._ledger.store.get(job_id)
        self._ledger.store.begin(job_id)
        self._ledger.log.begun(job_id, lane)
        self._ledger.feed.publish(job_id, Queued(position=1))  # until the provider is asked
        errand = _Errand(row, lane, ActiveJob(job_id, row.client, warnings=row.warnings))
        self._errands[job_id] = errand
        self._start(errand)

    def _start(self, errand: _Errand) -> None:
        thread = threading.Thread(target=self._run, args=(errand,), name=f"hosted-{errand.row.id}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _run(self, errand: _Errand) -> None:
        last = self._made(errand)
        with self._lock:
            put_off = self._closed and isinstance(last, Cancelled)
            if not errand.over and not put_off:
                self._end(errand, last)

    def _made(self, errand: _Errand) -> Last:
        """Make what is left of a job; returns how that ended."""
        try:
            left = self._make(errand)
        except DarkroomError as error:
            return Failed(error=error.info)
        except Exception as error:  # else the job would never end
            logger.exception("A hosted job failed")
            return Failed(error=_unexpected(error))
        return Cancelled() if left and errand.stop.is_set() else Finished()

    def _make(self, errand: _Errand) -> set[int]:
        """Save the pictures of a job as they come; returns which have not come."""
        row, around = errand.row, self._around
        left = set(range(row.request.num_pictures)) - {image.index for image in around.keeper.of_job(row.id)}
        request, tell = row.request.model_copy(update={"seed": row.seed}), partial(self._tell, errand)
        for picture in around.hosted.make(row.id, request, row.model, sorted(left), tell, errand.stop):
            image = around.keeper.save(picture, row.id)
            tell(Saved(image=image))
            left.discard(picture.index)
            if image.path is not None:
                around.hosted.settle(row.id, picture.index)
        return left

    def _tell(self, errand: _Errand, event: Event) -> None:
        """Tell an event of a job, unless its end is told already; a warning that each picture brings, once."""
        with self._lock:
            if errand.over or (isinstance(event, Warned) and event.message in errand.active.warnings):
                return
            if isinstance(event, Asked):
                self._ledger.store.running(errand.row.id)
            errand.active.note(event)
            if isinstance(event, Warned):
                self._ledger.store.warn(errand.row.id, errand.active.warnings)
            self._ledger.tell(errand.row.id, event)

    def _end(self, errand: _Errand, last: Last) -> None:
        errand.over = True
        self._errands.pop(errand.row.id, None)
        self._ledger.end(errand.row.id, last)
        self.dispatch()
        self._on_moved()


def _unexpected(error: Exception) -> ErrorInfo:
    message = f"Asking the provider failed: {type(error).__name__}."
    return EngineFailed(message, "Try again; if it happens again, report it.").info
