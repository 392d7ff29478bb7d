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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline.engine import report
from pipeline.engine.faults import explained
from pipeline.engine.generate import GenerationCancelled, pictures
from pipeline.engine.load import Emit, Loaded, load
from pipeline.engine.placement import computes_bfloat16, place
from pipeline.errors import OutOfMemory
from pipeline.events import Picture, Warned
from pipeline.models.hardware import EngineReport
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest, Offload, Quantization


class Engine:
    """One device and at most one model on it. For one thread."""

    def __init__(self, cache: Path, weights: Path | None = None) -> None:
        """Pick the device: the best that torch can use, or the one that `DARKROOM_DEVICE` names.

        `cache` is a folder for what can be made again, `weights` the one with LoRAs and VAEs. Raises `EngineFailed` when the named device is not here.
        """
        self._cache, self._weights = cache, weights
        self._report = report.report(os.environ.get("DARKROOM_DEVICE"))
        device = self._report.hardware.best
        if device.kind in {"cuda", "xpu"}:
            torch.accelerator.set_device_index(device.index)
        self._bfloat16 = computes_bfloat16(device)
        self._loaded: Loaded | None = None

    def report(self) -> EngineReport:
        """What torch found on this machine, and the versions of what computes."""
        return self._report

    @property
    def loaded(self) -> str | None:
        """Id of the loaded model."""
        return self._loaded.record.id if self._loaded else None

    def load(self, record: ModelRecord, quantization: Quantization, offload: Offload, emit: Emit) -> None:
        """Make `record` ready, emitting `Loading` and `Warned`; does nothing when it is ready in just that way.

        What was loaded before is released first. Raises `InvalidRequest` for what this device cannot do, and
        `ModelUnavailable`, `DependencyMissing`, `OutOfMemory` or `EngineFailed`.
        """
        self._ready(record, quantization, offload, emit)

    def generate(
        self,
        request: GenerationRequest,
        record: ModelRecord,
        indices: Sequence[int],
        emit: Emit,
        cancelled: Callable[[], bool],
    ) -> Iterator[Picture]:
        """Yield a picture for each of `indices`, with seed `request.seed + index`; `request.seed` is final.

        Loads `record` when it is not ready. Raises `GenerationCancelled` between two steps once `cancelled()` is true,
        and else what `load` raises.
        """
        loaded = self._ready(record, request.quantization, request.offload, emit)
        with self._guarded(record, "generating"):
            yield from pictures(loaded, request, indices, emit, cancelled, self._report.versions)

    def release(self) -> None:
        """Forget the loaded model and give its memory back."""
        self._loaded = None
        gc.collect()
        if self._report.hardware.best.kind != "cpu":
            torch.accelerator.empty_cache()

    def _ready(self, record: ModelRecord, quantization: Quantization, offload: Offload, emit: Emit) -> Loaded:
        placement = place(record, self._report.hardware, quantization, offload, bfloat16=self._bfloat16)
        for warning in placement.warnings:
            emit(Warned(message=warning))
        held = self._loaded
        if held and held.record == record and held.placement.key == placement.key:
            return held
        self.release()
        with self._guarded(record, "loading"):
            self._loaded = load(record, placement, self._cache, emit)
        return self._loaded

    @contextmanager
    def _guarded(self, record: ModelRecord, doing: str) -> Iterator[None]:
        """Explain every failure; give all memory back after one that lacked it, so that a smaller wish has room."""
        try:
            with explained(record, doing, beside=GenerationCancelled):
                yield
        except OutOfMemory:
            self.release()
            raise
