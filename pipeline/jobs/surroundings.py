"""What jobs need of the studio around them, and all that they know of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.events import Event, Picture, SavedImage
from pipeline.jobs.store import JobRow
from pipeline.jobs.worker import Worker
from pipeline.models.hardware import EngineReport
from pipeline.models.registry import ModelRecord
from pipeline.pictures.desk import Taken
from pipeline.request import GenerationRequest


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


class Hosted(Protocol):
    """Where pictures of hosted models come from."""

    @property
    def jobs_at_once(self) -> int: ...
    def lane(self, model_id: str) -> str: ...
    def make(
        self,
        job_id: str,
        request: GenerationRequest,
        model_id: str,
        indices: Sequence[int],
        emit: Callable[[Event], None],
        stop: threading.Event,
    ) -> Iterator[Picture]: ...
    def settle(self, job_id: str, index: int) -> None: ...
    @property
    def under_way(self) -> set[str]: ...
    def recover(self) -> Iterable[tuple[str, Picture]]: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Handed down as they are to whoever needs some of them."""

    models: Models
    keeper: Keeper
    desk: Desk
    hosted: Hosted
    start_worker: Callable[..., Worker]
    environments: Sequence[Mapping[str, str]]
    """One for each worker."""
    on_report: Callable[[EngineReport], ModelRecord | None]
    """Hears what the engine found, and answers with the model to preload."""
    needs_all: Callable[[JobRow], bool]
    """Whether a job is too large for one device and takes every one."""
