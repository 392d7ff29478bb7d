"""What jobs need of the studio around them, and all that they know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.events import Picture, SavedImage
from pipeline.jobs.store import JobRow
from pipeline.jobs.worker import Worker
from pipeline.models.hardware import EngineReport
from pipeline.models.registry import ModelRecord
from pipeline.pictures.desk import Taken


class Models(Protocol):
    """Who knows the models: the library."""

    def find(self, name: str) -> ModelRecord: ...


class Keeper(Protocol):
    """Where pictures go: the gallery."""

    def save(self, picture: Picture, job_id: str) -> SavedImage: ...
    def of_job(self, job_id: str) -> Sequence[SavedImage]: ...


class Desk(Protocol):
    """Where pictures are laid that something is made from."""

    def take(self, source: SavedImage, /) -> Taken: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Handed down as they are to whoever needs some of them."""

    models: Models
    keeper: Keeper
    desk: Desk
    start_worker: Callable[..., Worker]
    environments: Sequence[Mapping[str, str]]
    """One for each worker."""
    on_report: Callable[[EngineReport], ModelRecord | None]
    """Hears what the engine found, and answers with the model to preload."""
    needs_all: Callable[[JobRow], bool]
    """Whether a job is too large for one device and takes every one."""
