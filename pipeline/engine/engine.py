"""The engine: holds one loaded model and makes pictures with it.

    engine = Engine(settings.cache)
    for picture in engine.generate(request, record, range(request.num_images), emit, cancelled):
        ...

It knows nothing of queues, files or pages. Everything that goes wrong leaves it as a `DarkroomError`, except
`GenerationCancelled`.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image

from pipeline.engine import heap, report, upscale
from pipeline.engine.enlarge import Enlarger, enlargements
from pipeline.engine.faults import explained
from pipeline.engine.generate import Stores, pictures
from pipeline.engine.load import Emit, Loaded, load
from pipeline.engine.pace import Pace
from pipeline.engine.placement import Placement, below, fitting, place, torch_name
from pipeline.engine.selector import Selector, device_for
from pipeline.engine.watch import GenerationCancelled, Watch
from pipeline.errors import OutOfMemory
from pipeline.events import Event, Picture, Warned
from pipeline.inputs import InputId, Selection
from pipeline.models.controlnets import ControlNets
from pipeline.models.hardware import Device, EngineReport, Hardware
from pipeline.models.own.shelf import Shelf
from pipeline.models.planning.ladder import Case
from pipeline.models.planning.plan import impossible, nearest, would_fit
from pipeline.models.planning.sizes import component_sizes
from pipeline.models.registry import ModelRecord, Registry
from pipeline.models.segmenters import Segmenter
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest

T = TypeVar("T")


class Engine:
    """One device and at most one model on it. For one thread."""

    def __init__(self, cache: Path, weights: Path | None = None, inputs: Path | None = None) -> None:
        """Pick the device: the best that torch can use, or the one that `DARKROOM_DEVICE` names.

        `cache` is a folder for what can be made again, `weights` the one with LoRAs, VAEs and upscalers, `inputs` the
        one with the pictures that requests bring along. Raises `EngineFailed` when the named device is not here.
        """
        self._cache = cache
        self._stores = Stores(Shelf(weights or cache / "weights"), InputStore(inputs or cache / "inputs"))
        self._report = report.report(os.environ.get("DARKROOM_DEVICE"))
        device = self._report.hardware.best
        if device.kind in {"cuda", "xpu"}:
            torch.accelerator.set_device_index(device.index)
        self._loaded: Loaded | None = None
        self._selector: Selector | None = None
        self._tried: Placement | None = None
        """The last placement that was loaded, or was about to be."""
        self._failed: dict[str, dict[tuple[object, ...], int]] = {}
        """Model tried last → its placements that ran out of memory → pixels of the smallest picture that they did so
        for."""

    def report(self) -> EngineReport:
        """What torch found on this machine, and the versions of what computes."""
        return self._report

    @property
    def loaded(self) -> str | None:
        """Id of the loaded model."""
        return self._loaded.record.id if self._loaded else None

    def load(self, record: ModelRecord, request: GenerationRequest, emit: Emit) -> None:
        """Make `record` ready for `request`, emitting `Loading` and `Warned`; does nothing when it is ready.

        What was loaded before is released first. When memory runs out, the next placement that takes less is tried
        once. Raises `InvalidRequest` for what this device cannot do, and `ModelUnavailable`, `DependencyMissing`,
        `OutOfMemory` or `EngineFailed`.
        """
        self._selector = None  # it has to make room
        for _ in self._attempts(record, request, emit, lambda: iter([self._ready(record, request, emit)])):
            pass

    def generate(
        self,
        request: GenerationRequest,
        record: ModelRecord,
        indices: Sequence[int],
        emit: Emit,
        cancelled: Callable[[], bool],
    ) -> Iterator[Picture]:
        """Yield a picture for each of `indices`, with the seeds that `request` gives it; they are final, not -1.

        Loads `record` when it is not ready. Raises `GenerationCancelled` once `cancelled()` is true, between two steps,
        two components or two looks at a download, and else what `load` raises; when memory runs out, it also goes on as
        `load` does.
        """
        self._selector = None  # it has to make room
        left, versions = list(indices), self._report.versions
        if request.task == "enlarge":
            watch = Watch(left[0], Pace(1), emit, cancelled)
            with self._guarded(record, "enlarging"):
                yield from self._enlarged(request, record, left, watch)
            return

        def rest() -> Iterator[Picture]:
            loaded, seconds = self._ready(record, request, _stoppable(emit, cancelled))
            with self._guarded(record, "generating"):
                for picture in pictures(loaded, request, tuple(left), emit, cancelled, versions, seconds, self._stores):
                    left.remove(picture.index)
                    yield picture

        yield from self._attempts(record, request, emit, rest)

    def keep(self, picture: Picture) -> InputId:
        """Lay a picture beside those that requests bring along, for the next stage; the id under which it is there.
        Raises `OutputUnwritable`."""
        size = picture.recipe.width, picture.recipe.height
        return self._stores.inputs.put(Image.frombytes("RGB", size, picture.rgb))

    def select(self, segmenter: Segmenter, image: InputId, selection: Selection) -> InputId:
        """The mask of what is pointed at in one of the pictures that requests bring along, kept beside them.

        The segmentation model stays beside the loaded one until that is wanted for something. Raises `NotFound`,
        `ModelUnavailable`, `OutOfMemory` and `OutputUnwritable`.
        """
        if self._selector is None or self._selector.segmenter != segmenter:
            self._selector = None
            self._selector = Selector(segmenter, device_for(self._report.hardware.best))
        return self._selector.select(image, selection, self._stores.inputs)

    def release(self) -> None:
        """Forget the loaded model, a segmentation model and an upscaler's network, and give their memory back."""
        self._loaded = self._selector = None
        upscale.forget()
        gc.collect()
        heap.give_back()
        if self._report.hardware.best.kind != "cpu":
            torch.accelerator.empty_cache()

    def _enlarged(
        self, request: GenerationRequest, record: ModelRecord, indices: Sequence[int], watch: Watch
    ) -> Iterator[Picture]:
        best, stores = self._report.hardware.best, self._stores
        enlarger = Enlarger.of(request, stores.shelf, torch_name(best.kind, best.index))
        versions = self._report.versions
        return enlargements(request, record, indices, versions, best.label, enlarger, stores.inputs, watch)

    def _attempts(
        self, record: ModelRecord, request: GenerationRequest, emit: Emit, attempt: Callable[[], Iterator[T]]
    ) -> Iterator[T]:
        """What `attempt` yields, and when memory runs out in it, what a second one does with a smaller placement."""
        try:
            yield from attempt()
            return
        except OutOfMemory as error:
            traceback.clear_frames(error.__traceback__)  # they hold the pipeline
            lower = self._step_down(record, request)
            if lower is None:
                raise self._without_hope(error, record, request) from None
            emit(Warned(message=f"{error.info.message} It is tried once more with {lower.how}."))
        try:
            yield from attempt()
        except OutOfMemory as error:
            traceback.clear_frames(error.__traceback__)
            self._step_down(record, request)
            raise self._without_hope(error, record, request) from None

    def _ready(self, record: ModelRecord, request: GenerationRequest, emit: Emit) -> tuple[Loaded, float]:
        """The model as `request` wants it, and for how many seconds it was loaded now; 0 when it was there already."""
        self._failed = {record.id: self._failed.get(record.id, {})}
        case = self._case(record, request)
        placement = self._placement(case)
        for warning in placement.warnings:
            emit(Warned(message=warning))
        # No name here for what is held: it would keep the old model in memory while the new one is loaded.
        if self._loaded and self._serves(self._loaded, placement, case):
            return self._loaded, 0.0
        self.release()
        self._tried = None
        if not placement.possible:
            raise impossible(record, placement.sentence, placement.nearest)
        if not placement.fits:
            emit(Warned(message=f"{placement.sentence}, by an estimate; it is tried all the same."))
        self._tried = placement
        with self._guarded(record, "loading"), heap.returning():
            self._loaded = load(record, placement, self._cache, emit)
        return self._loaded, self._loaded.seconds

    def _case(self, record: ModelRecord, request: GenerationRequest) -> Case:
        """`request` on this device, with the sizes of the model's files as far as they are here."""
        sizes, beside = component_sizes(record), 0
        if request.controls:
            beside = ControlNets.read(self._stores.shelf.folder).bytes(request)
        return Case(record, request, self._report.hardware, sizes, beside)

    def _placement(self, case: Case) -> Placement:
        """The best placement, of those below the ones that ran out of memory with no larger picture."""
        return self._below(case) or place(case, _known())

    def _below(self, case: Case) -> Placement | None:
        """The best placement that fits below those that ran out of memory; None when there is none, or none did."""
        failed = {key for key, least in self._failed[case.record.id].items() if case.pixels >= least}
        return below(case, failed) if failed else None

    def _serves(self, held: Loaded, best: Placement, case: Case) -> bool:
        """Whether the pipeline that is loaded will do: it is held just so, or it makes the same pictures and fits.

        So a change of size does not load the model again just to let its weights rest elsewhere.
        """
        if held.record != case.record:
            return False
        if held.placement.key == best.key:
            return True
        if case.request.offload != "auto" or not held.placement.makes_the_same(best):
            return False
        return held.placement.key in fitting(case)

    def _step_down(self, record: ModelRecord, request: GenerationRequest) -> Placement | None:
        """Remember what ran out of memory; the next placement that takes less, if there is one."""
        if self._tried is None:
            return None
        case = self._case(record, request)
        failed, key = self._failed[record.id], self._tried.key
        failed[key] = min(case.pixels, failed.get(key, case.pixels))
        return self._below(case)

    def _without_hope(self, error: OutOfMemory, record: ModelRecord, request: GenerationRequest) -> OutOfMemory:
        """The same error with what would fit in less memory than what was tried takes."""
        if self._tried is None:
            return error
        less = replace(self._case(record, request), hardware=_shrunk(self._report.hardware, self._tried))
        ways = nearest(less, _known())
        return OutOfMemory(error.info.message, would_fit(ways) or error.info.remedy, details=error.info.details)

    @contextmanager
    def _guarded(self, record: ModelRecord, doing: str) -> Iterator[None]:
        """Explain every failure; give all memory back after one that lacked it, so that a smaller wish has room."""
        try:
            with explained(record, doing, beside=GenerationCancelled):
                yield
        except OutOfMemory:
            self.release()
            raise


def _stoppable(emit: Emit, cancelled: Callable[[], bool]) -> Emit:
    """`emit` that ends the loading or the download in which it is called once the job is cancelled."""

    def checked(event: Event) -> None:
        if cancelled():
            raise GenerationCancelled
        emit(event)

    return checked


@cache
def _known() -> tuple[ModelRecord, ...]:
    """The models that ship with Darkroom."""
    return Registry.read().records


def _shrunk(hardware: Hardware, placement: Placement) -> Hardware:
    """The machine as it turned out to be: with less memory than `placement` takes."""
    room = round(placement.peak_bytes * 0.9)

    def shrunk(device: Device) -> Device:
        return device.model_copy(update={"memory_free": min(device.memory_free, room)})

    same = placement.kind
    return Hardware(devices=tuple(shrunk(one) if one.kind == same else one for one in hardware.devices))
