"""A job as others see it: one frozen value that page, API and shell render."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from pipeline.errors import ErrorInfo
from pipeline.events import SavedImage
from pipeline.models.hardware import Hardware
from pipeline.request import GenerationRequest, Precision

Status = Literal["queued", "loading", "running", "finished", "failed", "cancelled"]
EVERY: tuple[Status, ...] = get_args(Status)
ENDED: frozenset[Status] = frozenset({"finished", "failed", "cancelled"})


class Progress(BaseModel):
    """Where a job that has begun stands. Before the first step only the loading fields move."""

    model_config = ConfigDict(frozen=True)

    file: str = ""
    """The file that comes from the hub; empty when none does."""
    fetched: int = 0
    """Bytes of the model's files that are here."""
    to_fetch: int = 0
    bytes_per_second: float = 0.0
    provider: str = ""
    """Who was asked for the pictures, of a hosted model."""
    crowded: bool = False
    """Whether other tasks of the account at the provider must end first."""
    component: str = ""
    """The component that is being loaded."""
    loaded: int = 0
    to_load: int = 0
    image_index: int = 0
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None


class WorkerState(BaseModel):
    """One worker at one moment."""

    model_config = ConfigDict(frozen=True)

    place: int
    """Its number, from 0."""
    status: Literal["off", "starting", "loading", "ready", "busy"]
    device: str = ""
    """What it computes on; empty until it is known."""
    pid: int | None = None
    model: str | None = None
    """Id of the model that it holds."""
    precision: Precision | None = None
    """How that model's weights are held, once a picture was made with it."""
    job_id: str | None = None
    memory_bytes: int | None = None
    """Main memory that its process takes."""
    device_bytes: int | None = None
    """Memory of its GPU that it holds; None without a GPU, or when it is not known yet."""
    started_at: datetime | None = None
    restarts: int = 0
    """How often its process was replaced since the studio started."""


class EngineState(BaseModel):
    """What the engine is doing, and what it found when it started."""

    model_config = ConfigDict(frozen=True)

    status: Literal["off", "starting", "loading", "ready", "busy", "failed"]
    model: str | None
    """Id of the loaded model."""
    hardware: Hardware
    versions: dict[str, str] = {}
    """Versions of the libraries in the worker; empty until it is ready."""
    error: ErrorInfo | None = None


class JobState(BaseModel):
    """Everything about a job at one moment."""

    model_config = ConfigDict(frozen=True)

    id: str
    client: str
    status: Status
    request: GenerationRequest
    model: str
    """Id of the model that the request resolved to."""
    seed: int
    """Seed of the first picture, drawn at the door when the request asked for a random one."""
    position: int | None = None
    """Place in the queue, 1 is next; None once begun."""
    progress: Progress = Progress()
    images: tuple[SavedImage, ...] = ()
    warnings: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    restarted: bool = False
    """True when the studio or its worker went down under the job and it was queued again."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in ENDED

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """Its main points, and how far it is."""
        yield "id", self.id
        yield "status", self.status
        yield "model", self.model
        if self.status == "queued":
            yield "position", self.position
        if self.status == "running" and self.progress.provider:
            yield "provider", self.progress.provider
        elif self.status == "running":
            yield "step", f"{self.progress.step} of {self.progress.steps}"
        yield "images", len(self.images)
