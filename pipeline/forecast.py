"""When a job would begin and how long it would take, told from the queue, the gallery and the plan."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.door import stages
from pipeline.errors import DarkroomError
from pipeline.estimate import Estimate, Pace, estimate, estimate_hosted, in_all, total, waiting_seconds
from pipeline.gallery import Gallery
from pipeline.gallery.query import ImageQuery
from pipeline.jobs.dispatcher import Dispatcher
from pipeline.jobs.state import Progress
from pipeline.jobs.store import JobRow
from pipeline.models.hardware import Hardware
from pipeline.models.hosted import HostedModel
from pipeline.models.library import Library
from pipeline.models.registry import Model, ModelRecord
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest

REMEMBERED = 20
"""Pictures by which an estimate is made."""


class Forecast:
    """For the machine as it is now."""

    def __init__(
        self, models: Library, gallery: Gallery, dispatcher: Dispatcher, machine: Callable[[], Hardware]
    ) -> None:
        self._models, self._gallery, self._dispatcher, self._machine = models, gallery, dispatcher, machine

    def of(self, request: GenerationRequest, first: Model, client: str) -> Estimate:
        """How long `request`, whose first model is `first`, would take if `client` queued it now, and the memory that
        it needs. Raises `UnknownModel`, and `InvalidRequest` for what this device cannot do."""
        if isinstance(first, HostedModel):
            waits = 0.0 if self._dispatcher.has_room(first.provider) else None
            return estimate_hosted(request, first, self._last(first.id), waits)
        return self._of_checkpoints(request, first, client)

    def _of_checkpoints(self, request: GenerationRequest, first: ModelRecord, client: str) -> Estimate:
        waits, before, found = self._waits(client, first.id), "", list[Estimate]()
        for stage, record in stages(request, first, self._models.find):
            plan = self._models.plan(record, stage, self._machine())
            loaded = self._dispatcher.holds(record.id, plan.quantization) if not before else record.id == before
            found.append(estimate(stage, record, plan, self._pace(record, plan.device), loaded, waits))
            before = record.id
        return in_all(found)

    def _pace(self, record: ModelRecord, device: str) -> Pace:
        """How fast a model is on a device, by the last pictures that it made."""
        return Pace(self._last(record.id), record.id, device)

    def _last(self, model: str) -> list[Recipe]:
        """The recipes of the last pictures that a model made."""
        return [image.recipe for image in self._gallery.search(ImageQuery(model=model), limit=REMEMBERED).images]

    def _waits(self, client: str, model: str) -> float | None:
        """Seconds until a job that `client` queued now would begin; None when that is not known."""
        in_hand, before = self._dispatcher.ahead(client, model)
        paces: dict[str, Pace] = {}

        def takes(row: JobRow) -> float | None:
            try:
                parts = list(stages(row.request, self._models.find(row.model), self._models.find))
            except DarkroomError:  # it fails at once
                return 0.0
            return total([self._seconds(stage, record, paces) for stage, record in parts])

        def remains(row: JobRow, progress: Progress) -> float | None:
            return takes(row) if progress.seconds_left is None else progress.seconds_left

        return waiting_seconds([remains(*job) if job else 0.0 for job in in_hand], map(takes, before))

    def _seconds(self, request: GenerationRequest, record: ModelRecord, paces: dict[str, Pace]) -> float | None:
        """For all pictures of one stage; `paces` keeps what was looked up."""
        if record.id not in paces:
            paces[record.id] = self._pace(record, self._machine().best.label)
        each = paces[record.id].picture_seconds(request, record, None)
        return None if each is None else each * request.num_images
