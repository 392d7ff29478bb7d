"""Pictures are saved here, and jobs end after them.

Encoding and writing take a while, so they have a thread of their own, outside of the dispatcher's lock, while the
worker is already busy with the next picture. What comes after the last picture waits its turn on the same thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pipeline.events import Last, Picture, Saved
from pipeline.jobs.active import ActiveJob
from pipeline.jobs.ledger import Ledger
from pipeline.jobs.surroundings import Keeper


class Endings:
    """The saver's thread, and the jobs that no worker has in hand any more but that wait for it."""

    def __init__(self, ledger: Ledger, keeper: Keeper, lock: threading.RLock) -> None:
        self._ledger, self._keeper, self._lock = ledger, keeper, lock
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="saver")
        self._jobs: dict[str, ActiveJob] = {}

    @property
    def jobs(self) -> list[ActiveJob]:
        """The jobs whose last pictures are being saved."""
        return list(self._jobs.values())

    def save(self, job_id: str, picture: Picture) -> None:
        """Save a picture before long, and tell it."""
        self._saver.submit(self._save, job_id, picture)

    def end_after_saving(self, active: ActiveJob, last: Last) -> None:
        """End a job once the pictures that it has made are saved; until then it counts as unfinished."""
        self.after_saving(active, lambda: self._ledger.end(active.job_id, last))

    def after_saving(self, active: ActiveJob, then: Callable[[], None]) -> None:
        """Call `then`, with the lock held as here, once the pictures that the job has made are saved."""
        self._jobs[active.job_id] = active
        self._saver.submit(self._conclude, active, then)

    def close(self) -> None:
        """Wait for what is left to be saved; nothing more is taken."""
        self._saver.shutdown(wait=True)

    def _save(self, job_id: str, picture: Picture) -> None:
        image = self._keeper.save(picture, job_id)
        self._ledger.tell(job_id, Saved(image=image))

    def _conclude(self, active: ActiveJob, then: Callable[[], None]) -> None:
        with self._lock:
            del self._jobs[active.job_id]
            then()
