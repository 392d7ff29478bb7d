"""Where jobs, workers and watchers meet: takes jobs in, tells where each stands, and changes or stops them.

Everything is a reaction: to a submitted or cancelled job (on the caller's thread), to a worker's message (on that
worker's reader thread, see `foreman`), or to pictures that are saved (on the saver's, see `endings`). One lock guards
the state.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future

from pipeline.events import Cancelled, Warned
from pipeline.inputs import InputId, Selection
from pipeline.jobs.feed import Listener, retell
from pipeline.jobs.foreman import Foreman
from pipeline.jobs.ledger import Ledger
from pipeline.jobs.line import Move, WaitingLine
from pipeline.jobs.log import JobLog
from pipeline.jobs.once import Once
from pipeline.jobs.state import ENDED, JobState, Progress, WorkerState
from pipeline.jobs.store import JobRow, JobStore
from pipeline.jobs.surroundings import Surroundings
from pipeline.models.registry import ModelRecord
from pipeline.models.segmenters import Segmenter
from pipeline.request import GenerationRequest


class Dispatcher:
    """The queue in motion. Every public method may be called from any thread."""

    def __init__(self, store: JobStore, around: Surroundings, limits: tuple[int, int], log: JobLog) -> None:
        """`limits` are the most waiting jobs of all clients and of one."""
        self._store, self.log = store, log
        self._keeper, self._hosted = around.keeper, around.hosted
        self._lock = threading.RLock()
        self._line = WaitingLine(*limits)
        self._ledger = Ledger(store, log)
        self._foreman = Foreman(self._ledger, self._line, around, self._lock)
        self.crew = self._foreman.crew

    # -- life -------------------------------------------------------------------------------------------------

    def start(self, recover: bool = True) -> None:
        """Take up what a past process left, and start the workers. `recover` says whether pictures that came from
        providers and are in no gallery are a past process's, and not those of one that goes on beside this."""
        with self._lock:
            self._store.requeue_interrupted()
            if recover:
                self._foreman.outside.recover()
                self._foreman.outside.take_up()
            for row in self._store.queued():
                self._line.join(row, self._hosted.lane(row.model))
            self.crew.start()
            self._foreman.outside.dispatch()
            self._foreman.tell_positions()

    def close(self, keep: bool) -> None:
        """Stop the workers. Unfinished jobs stay in the store for the next start, or are cancelled if not `keep`."""
        with self._lock:
            left = [] if keep else self.unfinished()
            workers = self.crew.dismiss()
            self._foreman.outside.stop()
        for worker in workers:
            worker.close()
        self._foreman.outside.wait()
        self._foreman.endings.close()
        for job_id in left:
            if self._store.get(job_id).status not in ENDED:
                self._ledger.end(job_id, Cancelled())

    # -- jobs -------------------------------------------------------------------------------------------------

    def submit(
        self,
        request: GenerationRequest,
        model: str,
        seed: int,
        client: str,
        once: Once | None,
        warnings: tuple[str, ...] = (),
    ) -> str:
        """Queue a job and return its id; that of the earlier one when the key was used before. Raises `QueueFull`, and
        `InvalidRequest` when the key was used for another request."""
        with self._lock:
            earlier = self._store.with_key(client, once.key) if once else None
            if once and earlier:
                once.check(earlier.request)
                return earlier.id
            self._line.check_room(client)
            lane = self._hosted.lane(model)
            if not lane:
                self.crew.revive()
            key = once.key if once else None
            row = self._store.add(secrets.token_hex(8), client, request, model, seed, key, warnings)
            self.log.queued(row.id, request, model, seed)
            for warning in warnings:
                self._ledger.tell(row.id, Warned(message=warning))
            self._line.join(row, lane)
            self._foreman.dispatch()
            return row.id

    def select(self, segmenter: Segmenter, image: InputId, selection: Selection) -> Future[InputId]:
        """As `Crew.select`: the mask of what is pointed at, once a worker has looked, after the job that it has in
        hand."""
        with self._lock:
            return self.crew.select(segmenter, image, selection)

    def cancel(self, job_id: str) -> None:
        """Stop a job wherever it is; one that has ended stays as it is. Raises `NotFound`."""
        with self._lock:
            self._store.get(job_id)
            if self._line.leave(job_id):
                self._ledger.end(job_id, Cancelled())
                self._foreman.tell_positions()
                return
            self._foreman.cancel(job_id)

    def move(self, job_id: str, to: Move) -> None:
        """Change the order of a client's waiting jobs; one that does not wait stays where it is. Raises `NotFound`."""
        with self._lock:
            self._store.get(job_id)
            self._store.rerank(self._line.move(job_id, to))
            self._foreman.tell_positions()

    def load(self, record: ModelRecord) -> None:
        """Have a free worker make a model ready. Raises `Busy`."""
        with self._lock:
            self.crew.load(record)

    def unload(self, model: str) -> None:
        """Have the workers that hold a model give its memory back. Raises `Busy`."""
        with self._lock:
            self.crew.unload(model)

    def restart(self, place: int) -> None:
        """End the worker at `place` and start another, which holds no model; its job begins again as the next one."""
        with self._lock:
            self.crew.end(place)

    def find(self, job_id: str) -> JobState:
        """The job with that id; raises `NotFound`."""
        return self.state(self._store.get(job_id))

    def state(self, row: JobRow) -> JobState:
        """`row` with everything that is only known while it runs."""
        with self._lock:
            active = next((one for one in self._foreman.in_hand if one.job_id == row.id), None)
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

    def listen(self, job_id: str, listener: Listener, after: int) -> Callable[[], None]:
        """As `Feed.listen`; a job of an earlier start is told from the store. Raises `NotFound`."""
        if self._ledger.feed.knows(job_id):
            return self._ledger.feed.listen(job_id, listener, after)
        for number, event in enumerate(retell(self.find(job_id)), start=1):
            listener((number, event))
        return lambda: None

    def unfinished(self, client: str | None = None) -> list[str]:
        """Ids of the jobs in hand, then of the waiting ones in order: of one client or of all."""
        with self._lock:
            begun = [active.job_id for active in self._foreman.in_hand if client in {None, active.client}]
            return begun + self._line.in_order(client)

    def others_before(self, client: str) -> int:
        """How many jobs of others are in hand, or come before the first waiting one of `client`."""
        with self._lock:
            return self._line.others_before(client) + sum(active.client != client for active in self._foreman.in_hand)

    def ahead(self, client: str, model: str) -> tuple[list[tuple[JobRow, Progress] | None], list[JobRow]]:
        """What comes before a job that `client` queued now for a worker: what each of them has in hand, None for
        nothing, and the waiting jobs, next first."""
        with self._lock:
            actives = [slot.active for slot in self.crew.slots]
            rows = self._line.before(client, model, self.crew.loaded)
        return [(self._store.get(one.job_id), one.progress) if one else None for one in actives], rows

    def has_room(self, lane: str) -> bool:
        """Whether the provider of that lane would be asked for a further job at once."""
        with self._lock:
            return self._foreman.outside.has_room(lane)

    def holds(self, model: str, precision: str) -> bool:
        """Whether a worker has the model loaded, with its weights in that precision as far as that is known."""
        with self._lock:
            return any(slot.loaded == model and slot.precision in {None, precision} for slot in self.crew.slots)

    def worker_states(self) -> tuple[WorkerState, ...]:
        """The workers, in the order of their places."""
        with self._lock:
            return tuple(slot.state(place) for place, slot in enumerate(self.crew.slots))
