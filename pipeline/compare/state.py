"""A comparison as others see it: one frozen value that page, API and shell render."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, computed_field

from pipeline.compare.grid import Comparison
from pipeline.jobs.state import JobState


class CellState(BaseModel):
    """One picture of a comparison and how far it is."""

    model_config = ConfigDict(frozen=True)

    column: int
    row: int
    job: JobState
    """Its picture, once there is one, is `job.images[0]`. Where the queue does not know the job (any more), this says
    only whether there is a picture: `finished` or `cancelled`."""

    @property
    def missing(self) -> bool:
        """Whether there is no picture and none on its way, so that `resume` would ask for it again."""
        return self.job.ended and not self.job.images


class ComparisonState(BaseModel):
    """A comparison at one moment."""

    model_config = ConfigDict(frozen=True)

    id: str
    client: str
    created_at: datetime
    comparison: Comparison
    """With the seed that was drawn for it."""
    cells: tuple[CellState, ...]
    """Row by row."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def done(self) -> int:
        """How many pictures are there."""
        return sum(bool(cell.job.images) for cell in self.cells)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def missing(self) -> int:
        """How many pictures are neither there nor on their way."""
        return sum(cell.missing for cell in self.cells)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ended(self) -> bool:
        """Whether nothing is on its way any more."""
        return all(cell.job.ended for cell in self.cells)
