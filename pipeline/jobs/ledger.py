"""What is written down about jobs, and told to those who watch them: store, log and feed."""

from __future__ import annotations

from pipeline.events import Event, Failed, Last
from pipeline.jobs.feed import Feed
from pipeline.jobs.log import JobLog
from pipeline.jobs.store import JobStore


class Ledger:
    """The three together. For any thread."""

    def __init__(self, store: JobStore, log: JobLog) -> None:
        self.store, self.log, self.feed = store, log, Feed()

    def tell(self, job_id: str, event: Event) -> None:
        """Tell an event of the job, and log what it is worth."""
        self.log.note(job_id, event)
        self.feed.publish(job_id, event)

    def end(self, job_id: str, last: Last) -> None:
        """Write the end down, then tell it: whoever hears it can rely on it."""
        self.store.end(job_id, last.type, last.error if isinstance(last, Failed) else None)
        self.tell(job_id, last)
