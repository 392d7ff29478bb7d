"""The door: all that speaks against a request is said here, before anything is queued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.errors import DarkroomError, InvalidRequest, ModelUnavailable
from pipeline.gallery import Gallery
from pipeline.hosted.hosted import Hosted
from pipeline.inputs import unseen
from pipeline.models.extent import drawn_size, finished_size
from pipeline.models.files import hub
from pipeline.models.hardware import Hardware
from pipeline.models.hosted import HostedModel
from pipeline.models.library import Library
from pipeline.models.own.extras import check_extras
from pipeline.models.planning.plan import impossible
from pipeline.models.registry import Model, ModelRecord
from pipeline.models.upscalers import find_upscaler
from pipeline.pictures.desk import Desk
from pipeline.request import GenerationRequest
from pipeline.settings import Settings


class Door:
    """Looks at requests, and changes nothing."""

    def __init__(
        self,
        settings: Settings,
        models: Library,
        gallery: Gallery,
        desk: Desk,
        hosted: Hosted,
        machine: Callable[[], Hardware],
    ) -> None:
        self._settings, self._models, self._gallery, self._desk = settings, models, gallery, desk
        self._hosted, self._machine = hosted, machine

    def check(self, request: GenerationRequest, first: Model) -> tuple[str, ...]:
        """Raise what speaks against making `request`, whose first model is `first`, here now; return what is worth a
        warning."""
        self._desk.check(request)
        warnings = self._check_hosted(request, first) if isinstance(first, HostedModel) else self._all(request, first)
        self._gallery.check_writable()
        return tuple(warnings)

    def check_ready(self, record: ModelRecord) -> None:
        """Raise what speaks against loading a model by itself: `OutOfMemory`, and `ModelUnavailable` when its files are
        not here."""
        plan = self._models.plan(record, GenerationRequest(prompt=record.name), self._machine())
        if not plan.possible:
            raise impossible(record, plan.sentence, plan.nearest)
        if not hub.is_here(record):
            message = f"The files of {record.name} are not on this disk."
            remedy = "Fetch them first, or queue a job: it fetches what it needs."
            raise ModelUnavailable(message, remedy, field="model")

    def _check_hosted(self, request: GenerationRequest, model: HostedModel) -> list[str]:
        model.check(request)
        self._hosted.check_ready(model)
        return [*self._hosted.notices(model, request), *model.ignored(request)]

    def _all(self, request: GenerationRequest, first: ModelRecord) -> list[str]:
        """Every stage of a chain, or the only one of what is none."""
        warnings: list[str] = []
        for number, (stage, record) in enumerate(stages(request, first, self._models.find), 1):
            with _named(number if request.then else 0):
                found = self._check(stage, record)
            warnings += [f"Stage {number}: {warning}" for warning in found] if request.then else found
        return warnings

    def _check(self, request: GenerationRequest, record: ModelRecord) -> list[str]:
        record.check(request)
        if request.controls:
            self._models.controlnets.check(record, request)
        self._check_size(request, record)
        if request.upscale is not None:
            find_upscaler(request.upscale.upscaler, self._models.shelf)
        plan = self._models.plan(record, request, self._machine())
        if not plan.possible:
            raise impossible(record, plan.sentence, plan.nearest)
        hub.check_available(record)
        return [*record.ignored(request), *check_extras(record, request, self._models.shelf)]

    def _check_size(self, request: GenerationRequest, record: ModelRecord) -> None:
        width, height = drawn_size(request, record.size)
        if request.task != "enlarge" and width * height > self._settings.max_pixels:
            raise InvalidRequest(
                f"{width} × {height} is more than {self._settings.max_pixels:,} pixels.",
                "Choose a smaller size, or raise DARKROOM_MAX_PIXELS.",
                field="width",
            )
        self._desk.check_size(finished_size(request, record.size), "upscale" if request.upscale else "image")


def stages(
    request: GenerationRequest, first: ModelRecord, find: Callable[[str], ModelRecord]
) -> Iterator[tuple[GenerationRequest, ModelRecord]]:
    """The request of each stage of a chain, and its model; of what is no chain, just `request` and `first`.

    Those after the first work from a picture that is not made yet, of which only the size is known. Raises
    `UnknownModel`, naming the stage.
    """
    yield request, first
    size = finished_size(request, first.size)
    for number, name in enumerate(request.models(first.id)[1:], 1):
        with _named(number + 1):
            record = find(name)
        stage = request.stage(number, unseen(size)).model_copy(update={"num_images": request.num_images})
        yield stage, record
        size = finished_size(stage, record.size)


@contextmanager
def _named(stage: int) -> Iterator[None]:
    """Say of every error in which stage it is, counted from 1; 0 for what is no chain. The first stage's settings are
    the request's own, those of the others are in `then`."""
    try:
        yield
    except DarkroomError as error:
        if not stage:
            raise
        told = {"message": f"Stage {stage}: {error.info.message}", "field": "then" if stage > 1 else error.info.field}
        raise DarkroomError.from_info(error.info.model_copy(update=told)) from None
