"""`RemoteStudio`: what commands ask of a `Studio`, answered by the one that runs already."""

from __future__ import annotations

from typing import Any

from pipeline.chains import Chains
from pipeline.compare.grid import Comparison
from pipeline.compare.state import ComparisonState
from pipeline.gallery import lineage
from pipeline.jobs.state import JobState
from pipeline.models.choose import Choice
from pipeline.models.registry import ModelRecord, no_checkpoint
from pipeline.recipe import Recipe
from pipeline.remote.connection import CLIENT, Connection
from pipeline.remote.job import RemoteJob, state_of
from pipeline.remote.pictures import RemoteDesk
from pipeline.request import GenerationRequest
from pipeline.settings import Settings


class RemoteStudio:
    """The studio that answers at `url` and runs the queue of the folder of `settings`.

    Every method raises `StudioUnreachable` besides what `Studio`'s own raises.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self._connection = Connection(url, settings.token)
        self.desk = RemoteDesk(self._connection)
        self.comparisons = RemoteComparisons(self._connection)
        self.chains = Chains(settings.data_folder / "chains")

    def close(self) -> None:
        """Hang up. Jobs go on."""
        self._connection.close()

    @property
    def default(self) -> Choice:
        """The model that is used when none is named, and why."""
        told = self._connection.json("GET", "/api/v1/models")
        default = told["default"]
        [facts] = [facts for facts in told["models"] if facts["id"] == default["id"]]
        return Choice(record=_record(facts), reason=default["reason"], remedy=default["remedy"])

    def record(self, name: str | None) -> ModelRecord:
        """The checkpoint that `name` means, or the default. Raises `UnknownModel`, and `InvalidRequest` for a hosted
        model."""
        if name is None:
            return self.default.record
        facts = self._connection.json("GET", f"/api/v1/models/{name}")
        if facts["kind"] == "hosted":
            raise no_checkpoint(facts["name"])
        return _record(facts)

    def submit(self, request: GenerationRequest, *, client: str = CLIENT) -> RemoteJob:
        """Queue a request there. Raises as `Studio.submit` does."""
        told = self._connection.json("POST", "/api/v1/jobs", json=request.model_dump(mode="json"))
        return RemoteJob(self._connection, told["id"])

    def replay(self, recipe: Recipe, *, client: str = CLIENT) -> RemoteJob:
        """Queue what makes the picture of `recipe` again. Raises as `Studio.replay` does."""

        def make(request: GenerationRequest) -> str:
            [made] = self.submit(request).result()
            return self.desk.take(made).id

        return self.submit(lineage.prepared(recipe, self.desk.has, make))

    def job(self, job_id: str) -> RemoteJob:
        """The job with that id; raises `NotFound`."""
        job = RemoteJob(self._connection, job_id)
        return RemoteJob(self._connection, job.state.id)

    def jobs(self, *, limit: int = 50) -> list[JobState]:
        """The newest jobs of everybody; at most 500."""
        return [state_of(told) for told in self._connection.json("GET", "/api/v1/jobs", params={"limit": limit})]

    def queue(self) -> list[JobState]:
        """The unfinished jobs of everybody: those in hand, then the waiting ones in the order of their turns."""
        return [state_of(told) for told in self._connection.json("GET", "/api/v1/queue")["jobs"]]


class RemoteComparisons:
    """What `Comparisons` is, at the running studio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, comparison: Comparison, *, client: str = CLIENT) -> ComparisonState:
        """Queue every picture, or none. Raises as `Comparisons.start` does."""
        body = comparison.model_dump(mode="json")
        return _state(self._connection.json("POST", "/api/v1/comparisons", json=body))

    def find(self, comparison_id: str) -> ComparisonState:
        """The comparison with that id; raises `NotFound`."""
        return _state(self._connection.json("GET", f"/api/v1/comparisons/{comparison_id}"))

    def cancel(self, comparison_id: str) -> None:
        """Stop what is not finished; pictures stay. Raises `NotFound`."""
        self._connection.ask("POST", f"/api/v1/comparisons/{comparison_id}/cancel")

    def sheet(self, comparison_id: str) -> bytes:
        """The labelled contact sheet as a PNG that carries the comparison. Raises `NotFound`."""
        return self._connection.ask("GET", f"/api/v1/comparisons/{comparison_id}/sheet").content


def _record(facts: dict[str, Any]) -> ModelRecord:
    """A record, out of that and what is on the disk."""
    return ModelRecord.model_validate({name: facts[name] for name in ModelRecord.model_fields if name in facts})


def _state(told: dict[str, Any]) -> ComparisonState:
    """A comparison as the API tells it, which keeps to itself whose it is."""
    cells = [cell | {"job": {"client": "", **cell["job"]}} for cell in told["cells"]]
    return ComparisonState.model_validate({"client": "", **told, "cells": cells})
