"""A job that a worker or a provider has begun: where it stands, as its events tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipeline.events import Asked, Event, Fetching, Loading, Step, Warned
from pipeline.jobs.state import Progress

LOADING_GRACE = 2.0
"""Seconds that a cancelled job may go on loading before its worker is ended."""
STEP_GRACE = 5.0
"""Seconds, at least, that a cancelled job may take for the step it is in; three times a usual step, if that is more."""


@dataclass(slots=True)
class ActiveJob:
    """What is known of a running job beside its row in the store."""

    job_id: str
    client: str = ""
    printed_before: int = 0
    """Lines that its worker had printed when it began."""
    warnings: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress)
    denoising: bool = False
    """Whether a first step is done: until then the job can be started again without anybody noticing."""
    cancelled: bool = False
    put_back: bool = False
    """Whether its worker is being ended on purpose, so that it waits again instead of failing."""
    alone: bool = False
    """Whether it takes every device, so that no other job runs beside it."""
    _step_seconds: float = 0.0
    _last_step: float = 0.0

    @property
    def grace(self) -> float:
        """Seconds after a cancel in which the worker should have stopped by itself."""
        return max(STEP_GRACE, 3 * self._step_seconds) if self.denoising else LOADING_GRACE

    def note(self, event: Event) -> None:
        """Follow an event of this job."""
        match event:
            case Fetching(file=file, done=done, total=total, bytes_per_second=speed, seconds_left=left):
                self.progress = Progress(
                    file=file, fetched=done, to_fetch=total, bytes_per_second=speed, seconds_left=left
                )
            case Loading(component=component, done=done, total=total):
                self.progress = Progress(component=component, loaded=done, to_load=total)
            case Asked(provider=provider, image_index=index, crowded=crowded):
                self.progress = Progress(provider=provider, image_index=index, crowded=crowded)
            case Step(image_index=index, step=step, total=total, seconds_left=left):
                self.progress = Progress(image_index=index, step=step, steps=total, seconds_left=left)
                self._note_step()
            case Warned(message=message):
                self.warnings = (*self.warnings, message)

    def _note_step(self) -> None:
        now = time.monotonic()
        if self.denoising:
            self._step_seconds = now - self._last_step
        self.denoising, self._last_step = True, now
