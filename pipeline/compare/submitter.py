"""The studio, as far as comparisons know it."""

from __future__ import annotations

from typing import Protocol

from pipeline.gallery import Gallery
from pipeline.jobs.state import JobState
from pipeline.models.choose import Choice
from pipeline.models.library import Library
from pipeline.request import GenerationRequest
from pipeline.settings import Settings


class Handle(Protocol):
    """One job."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> JobState: ...
    def cancel(self) -> None: ...


class Submitter(Protocol):
    """Who makes the pictures and keeps them."""

    @property
    def settings(self) -> Settings: ...
    @property
    def models(self) -> Library: ...
    @property
    def default(self) -> Choice: ...
    @property
    def gallery(self) -> Gallery: ...
    def check(self, request: GenerationRequest) -> tuple[str, ...]: ...
    def submit(self, request: GenerationRequest, *, client: str, idempotency_key: str | None) -> Handle: ...
    def job(self, job_id: str) -> Handle: ...
    def queue(self) -> list[JobState]: ...
