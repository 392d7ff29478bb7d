"""The ladder: every way to hold a model for a request on a machine, best first, whether it fits or not.

Everything on the device, spread over several GPUs, or whole components resting in main memory, in the precision that
comes first and then in the other; then the picture decoded in tiles, layers resting in main memory, and last the
processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pipeline.models.extent import most_pixels
from pipeline.models.hardware import Device, Hardware
from pipeline.models.planning.sizes import ComponentSize, known_sizes
from pipeline.models.registry import DType, ModelRecord
from pipeline.request import GenerationRequest, Precision

Resting = Literal["none", "model", "group", "sequential"]

TILE = 512
"""Side of a tile in pixels when the VAE decodes in tiles."""
AMPLE = 0.5
"""Part of a GPU's memory that unquantised weights may take for `auto` to leave them so where the record advises fewer
bits. Of all memory, not of what is free: the same request makes the same picture whatever else the GPU does."""

TILING = {"AutoencoderKL", "AutoencoderDC", "AutoencoderKLQwenImage"}
"""VAE classes that can decode in tiles."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, of which model, and where."""

    record: ModelRecord
    request: GenerationRequest
    hardware: Hardware
    sizes: Mapping[str, ComponentSize]
    """Of the model's components; empty when they are not known."""
    beside: int = 0
    """Bytes of the ControlNets that take part."""

    @classmethod
    def unseen(cls, record: ModelRecord, request: GenerationRequest, hardware: Hardware) -> Self:
        """The case of a model whose files nobody has looked at: the sizes are those of its architectures."""
        return cls(record, request, hardware, known_sizes(record))

    @property
    def pixels(self) -> int:
        """Of the largest picture that the model works on at once."""
        return most_pixels(self.request, self.record)

    @property
    def guided(self) -> bool:
        guidance = self.request.guidance_scale
        return (self.record.guidance.default if guidance is None else guidance) > 1

    @property
    def main_memory(self) -> Device:
        return self.hardware.devices[-1]

    def tiles(self) -> bool:
        """Whether decoding in tiles would help."""
        return self.pixels > TILE**2 and any(size.kind in TILING for size in self.sizes.values())


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to hold the model."""

    device: Device
    quantization: Precision
    offload: Resting = "none"
    spread: bool = False
    tiled: bool = False
    precisions: dict[str, Precision] = field(default_factory=dict)
    """Of every component."""


def dtype_on(record: ModelRecord, device: Device) -> tuple[DType, str]:
    """The record's dtype, or what stands in for it.

    Without bfloat16 a GPU falls back to float16, which is as small; T5's large activations stay safe, because
    transformers keeps the layers that overflow in float32. A processor computes float16 slowly and not everywhere,
    so there it becomes float32, and so does bfloat16 on one that only imitates it.
    """
    if record.dtype == "bfloat16" and not device.bfloat16:
        if device.kind == "cpu":
            return "float32", "float32, since this processor only imitates bfloat16"
        return "float16", "float16, since this device does not compute in bfloat16"
    if record.dtype == "float16" and device.kind == "cpu":
        return "float32", "float32, since processors compute float16 slowly"
    return record.dtype, record.dtype


def dtype_of(name: str, record: ModelRecord, device: Device) -> DType:
    """The dtype of one component. One that needs bfloat16 beside float16 gets float32 where that cannot be had."""
    own = record.dtypes.get(name)
    if own is None or own == record.dtype:
        return dtype_on(record, device)[0]
    if (own == "bfloat16" and not device.bfloat16) or (own == "float16" and device.kind == "cpu"):
        return "float32"
    return own


def ways(case: Case) -> Iterator[Rung]:
    """The ladder, best first."""
    best, memory = case.hardware.best, case.main_memory
    if best.kind in {"cpu", "mps"}:
        yield from (_rung(case, best, precision) for precision in _precisions(case, best))
        return
    order = _precisions(case, best)
    if case.request.offload != "auto":
        wished = [_rung(case, best, precision, case.request.offload) for precision in order]
        yield from wished
        yield from (replace(rung, tiled=True) for rung in wished if case.tiles())
        return
    yield from _on_gpus(case, best, order)
    yield from (_rung(case, memory, precision) for precision in _precisions(case, memory))


def _on_gpus(case: Case, best: Device, order: Sequence[Precision]) -> Iterator[Rung]:
    whole = [_rung(case, best, precision) for precision in order]
    offloaded = [_rung(case, best, precision, "model") for precision in order]
    several = len([gpu for gpu in case.hardware.gpus if gpu.kind == best.kind]) > 1
    for held, moved in zip(whole, offloaded, strict=True):
        yield held
        yield from [replace(held, spread=True)] if several else []
        yield moved
    if case.tiles():
        yield from (replace(rung, tiled=True) for rung in (*whole, *offloaded))
    if case.request.quantization in {"auto", "none"} and not _quantized_by_wish(case):
        for offload in ("group", "sequential"):
            rung = _rung(case, best, "none", offload)
            yield rung
            yield from [replace(rung, tiled=True)] if case.tiles() else []


def _quantized_by_wish(case: Case) -> bool:
    """Whether the request has a component quantised, which rules out that its layers move one by one."""
    return any(wish not in {"auto", "none"} for wish in case.request.component_quantization.values())


def _precisions(case: Case, device: Device) -> list[Precision]:
    """What the components worth quantising may be held in on `device`, best first."""
    wish, record = case.request.quantization, case.record
    if not record.nf4:
        return ["none"]
    if wish != "auto":
        return [wish]
    small: Precision = "nf4" if record.quantization == "none" else record.quantization
    if device.kind in {"cpu", "mps"}:
        return ["none", "nf4" if small == "int8" and device.kind == "mps" else small]
    return [small] if _saves(case, device) else ["none", small]


def _saves(case: Case, device: Device) -> bool:
    """Whether fewer bits it is: as the record advises, unless there is ample room without."""
    if case.record.quantization == "none":
        return False
    weights = sum(size.held_bytes(dtype_of(name, case.record, device), "none") for name, size in case.sizes.items())
    return weights > AMPLE * device.memory_total


def _rung(case: Case, device: Device, precision: Precision, offload: Resting = "none") -> Rung:
    held: dict[str, Precision] = {name: precision if name in case.record.nf4 else "none" for name in case.sizes}
    own = {name: wish for name, wish in case.request.component_quantization.items() if wish != "auto"}
    return Rung(device, precision, offload, precisions=held | own)
