"""The comparisons of one outputs folder: started, followed, taken up again after a restart, and laid out as a sheet.

Every picture is a job of the ordinary queue, so what holds for jobs holds for them: they take turns with other
clients' jobs, last through a restart, and can be followed and cancelled one by one.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline.compare import export
from pipeline.compare.grid import Comparison
from pipeline.compare.measure import Measurement
from pipeline.compare.prepare import check, check_room, in_thrifty_order, settle
from pipeline.compare.state import CellState, ComparisonState
from pipeline.compare.stored import ComparisonFiles, StoredCell, StoredComparison
from pipeline.compare.submitter import Handle, Submitter
from pipeline.errors import DarkroomError, NotFound, OutputUnwritable
from pipeline.jobs.state import JobState, Status
from pipeline.request import GenerationRequest

__all__ = ["CellState", "ComparisonState", "Comparisons"]

_log = logging.getLogger(__name__)


class Comparisons:
    """Safe to use from several threads."""

    def __init__(self, folder: Path, studio: Submitter) -> None:
        """`folder` is where their files are kept."""
        self._studio = studio
        self._files = ComparisonFiles(folder)
        self._changing = threading.RLock()
        self._being_queued: set[str] = set()

    def start(self, comparison: Comparison, *, client: str = "python") -> ComparisonState:
        """Queue every picture, model by model. Raises as `Studio.submit` does, and then nothing is queued."""
        comparison = settle(comparison, self._studio)
        cells = comparison.cells()
        check(comparison, cells, self._studio)
        check_room(len(cells), client, self._studio)
        stored = StoredComparison(
            id=secrets.token_hex(8),
            client=client,
            created_at=datetime.now(UTC),
            comparison=comparison,
            cells=(StoredCell(),) * len(cells),
        )
        try:
            return self._state(self._queue(stored))
        except BaseException:
            with suppress(OutputUnwritable):
                self._files.remove(stored.id)
            raise

    def find(self, comparison_id: str) -> ComparisonState:
        """The comparison with that id; raises `NotFound`."""
        return self._state(self._files.get(comparison_id))

    def newest(self, *, client: str | None = None, limit: int = 50) -> list[ComparisonState]:
        """The newest comparisons, of one client or of all."""
        wanted = [stored for stored in self._files.newest() if client in {None, stored.client}]
        return [self._state(stored) for stored in wanted[:limit]]

    def cancel(self, comparison_id: str) -> None:
        """Stop what is not finished; pictures stay. Raises `NotFound`."""
        with self._changing:
            stored = self._files.get(comparison_id)
            if not stored.queued:
                self._files.put(stored.given_up())
            for cell in reversed(stored.cells):  # the waiting ones first, so that none begins meanwhile
                if cell.job is not None:
                    with suppress(NotFound):
                        self._studio.job(cell.job).cancel()

    def resume(self, comparison_id: str) -> ComparisonState:
        """Queue the pictures that are missing: those of failed and cancelled jobs, and deleted ones. Raises as
        `start` does, and then nothing is queued."""
        with self._changing:
            stored = self._files.get(comparison_id)
            missing = {place for place, cell in enumerate(self._state(stored).cells) if cell.missing}
            if not missing:
                return self._state(stored)
            cells = stored.comparison.cells()
            check(stored.comparison, [cells[place] for place in sorted(missing)], self._studio)
            check_room(len(missing), stored.client, self._studio)
            return self._state(self._queue_again(stored, missing))

    def forget(self, comparison_id: str) -> None:
        """Remove the comparison and stop what is not finished; its pictures stay in the gallery. Raises `NotFound`."""
        with self._changing:
            self.cancel(comparison_id)
            self._files.remove(comparison_id)

    def take_up(self) -> None:
        """Queue what a process that was killed while it queued a comparison has left. The jobs themselves last."""
        for stored in self._files.newest():
            if not stored.queued and stored.id not in self._being_queued:
                try:
                    self._queue(stored)
                except DarkroomError as error:
                    _log.warning("Comparison %s cannot go on: %s", stored.id, error)
                    self._files.put(stored.given_up())

    # -- queueing ---------------------------------------------------------------------------------------------

    def _queue(self, stored: StoredComparison) -> StoredComparison:
        """Submit the cells that have no job. The file is written before, so that a killed process leaves word of what
        it began, and after. When a cell is refused, those submitted here are cancelled."""
        submitted: dict[int, Handle] = {}
        self._being_queued.add(stored.id)
        try:
            self._files.put(stored)
            for place, request in in_thrifty_order(stored.requests_left()):
                submitted[place] = self._submit(stored, place, request)
            queued = stored.with_jobs({place: job.id for place, job in submitted.items()})
            self._files.put(queued)
            return queued
        except BaseException:
            for job in reversed(submitted.values()):
                job.cancel()
            raise
        finally:
            self._being_queued.discard(stored.id)

    def _submit(self, stored: StoredComparison, place: int, request: GenerationRequest) -> Handle:
        """Once for each attempt, however often it is tried."""
        key = f"{stored.id}-{place}-{stored.cells[place].attempt}"
        try:
            return self._studio.submit(request, client=stored.client, idempotency_key=key)
        except DarkroomError as error:
            row, column = divmod(place, stored.comparison.shape[0])
            raise stored.comparison.named(error, column, row) from error

    def _queue_again(self, stored: StoredComparison, places: set[int]) -> StoredComparison:
        """Submit these cells anew; when one is refused, the comparison is what it was."""
        again = stored.again(places)
        try:
            return self._queue(again)
        except BaseException:
            self._files.put(stored.with_attempts_of(again))
            raise

    # -- looking ------------------------------------------------------------------------------------------------

    def _state(self, stored: StoredComparison) -> ComparisonState:
        pairs = zip(stored.comparison.cells(), stored.cells, strict=True)
        cells = [
            CellState(column=cell.column, row=cell.row, job=self._job(stored, kept.job, cell.request))
            for cell, kept in pairs
        ]
        return ComparisonState(
            id=stored.id,
            client=stored.client,
            created_at=stored.created_at,
            comparison=stored.comparison,
            cells=tuple(cells),
        )

    def _job(self, stored: StoredComparison, job_id: str | None, request: GenerationRequest) -> JobState:
        """The job as the queue knows it; where it does not, what the gallery knows."""
        if job_id is None:
            return _unknown_job(stored, request, "cancelled" if stored.queued else "queued")
        try:
            return self._studio.job(job_id).state
        except NotFound:
            images = tuple(self._studio.gallery.of_job(job_id))
            told = _unknown_job(stored, request, "finished" if images else "cancelled")
            return told.model_copy(update={"id": job_id, "images": images})

    # -- laying out ---------------------------------------------------------------------------------------------

    def sheet(self, comparison_id: str) -> bytes:
        """The labelled contact sheet as a PNG that carries the comparison; where there is no picture stands why.
        Raises `NotFound`."""
        return export.draw_sheet(self.find(comparison_id), self._studio.gallery)

    def archive(self, comparison_id: str) -> Iterator[bytes]:
        """A ZIP of a folder with the sheet, the comparison as JSON, and every picture named by its place. Raises
        `NotFound`."""
        return export.archive(self.find(comparison_id), self._studio.gallery)

    def measurements(self, comparison_id: str, reference: int = 0) -> tuple[Measurement, ...]:
        """What each picture that is there took, and how far it is from that of the cell `reference`, counted row by
        row. Raises `NotFound`, and `InvalidRequest` when that cell has no picture."""
        return export.measurements(self.find(comparison_id), self._studio.gallery, reference)


def _unknown_job(stored: StoredComparison, request: GenerationRequest, status: Status) -> JobState:
    return JobState(
        id="",
        client=stored.client,
        status=status,
        request=request,
        model=request.model or "",
        seed=request.seed,
        created_at=stored.created_at,
    )
