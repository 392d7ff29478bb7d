"""How much memory a way to hold a model takes at its peak, on each device and in main memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from pipeline.models.hardware import Device
from pipeline.models.planning.ladder import TILE, TILING, Case, Rung
from pipeline.models.planning.sizes import HELD, WIDTH, ComponentSize, computing_bytes
from pipeline.models.registry import DType, ModelRecord
from pipeline.request import Precision

CONTEXT = 500_000_000
"""Bytes of GPU memory that the driver and the libraries take for themselves; an estimate."""
PROCESS = {"cpu": 500_000_000, "gpu": 1_500_000_000}
"""Bytes of main memory that a worker takes without a model. On a processor measured, once it has made a picture with a
tiny one; with the libraries of a GPU, an estimate."""
RESERVE = 0.04
"""Part of a memory that is left free: for fragments, and for what other programs take meanwhile."""

_READING = 0.5
"""Part of a component's file that exists once more, unquantised, while it is quantised; measured."""


class ComponentPlan(BaseModel):
    """One component as it will be held."""

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: int
    dtype: DType
    precision: Precision
    bytes: int
    """Of its weights."""
    resident: bool
    """Whether it stays on the device while others work."""
    device: int = 0
    """Index of its GPU; 0 elsewhere."""


def device_peaks(
    case: Case, rung: Rung, parts: Sequence[ComponentPlan], working: Mapping[str, int]
) -> dict[Device, int]:
    """Bytes at most on each GPU with memory of its own."""
    if rung.device.kind in {"cpu", "mps"}:
        return {}
    if rung.spread:
        gpus = [gpu for gpu in case.hardware.gpus if gpu.kind == rung.device.kind]
        return {gpu: _together(gpu.index, parts, working) for gpu in gpus}
    if rung.offload == "none":
        return {rung.device: _together(rung.device.index, parts, working)}
    if rung.offload == "model":
        staying = sum(part.bytes for part in parts if part.resident)
        stages = [working[part.name] + (0 if part.resident else part.bytes) for part in parts]
        return {rung.device: CONTEXT + staying + max(stages, default=0)}
    # Group offload copies the next layer while one computes.
    copies = 2 if rung.offload == "group" else 1
    layers = {part.name: copies * case.sizes[part.name].largest_layer() * WIDTH[part.dtype] for part in parts}
    stages = [working[part.name] + min(layers[part.name], part.bytes) for part in parts]
    return {rung.device: CONTEXT + max(stages, default=0)}


def ram_peak(case: Case, rung: Rung, parts: Sequence[ComponentPlan], working: Mapping[str, int]) -> tuple[int, int]:
    """Bytes at most in main memory: those that are needed, and with the files that are mapped into it meanwhile.

    Weights that are kept as they are stored are the mapped file itself. Those that are converted exist beside it until
    they are all read; so do quantised ones, and as some of their layers stay in the file, it stays mapped on a
    processor. Measured on checkpoints of 100 million parameters.
    """
    weights, computing = sum(part.bytes for part in parts), max(working.values(), default=0)
    stored = {part.name: stored_bytes(part.name, case.sizes[part.name], case.record) for part in parts}
    quantized = [stored[part.name] for part in parts if part.precision != "none"]
    process = PROCESS["cpu" if rung.device.kind == "cpu" else "gpu"]
    if rung.device.kind not in {"cpu", "mps"}:
        needed = process + (weights if rung.offload != "none" else _passing(parts))
        return needed, needed + max(quantized, default=0)
    reading = round(_READING * max(quantized, default=0))
    needed = process + weights + max(computing, reading)
    held = peak = 0
    for part in parts:
        held += part.bytes
        converted = part.precision == "none" and abs(stored[part.name] - part.bytes) > 0.05 * stored[part.name]
        peak = max(peak, held + (stored[part.name] if converted else 0))
    return needed, max(needed + sum(quantized), process + peak)


def _together(index: int, parts: Sequence[ComponentPlan], working: Mapping[str, int]) -> int:
    """Bytes at most on the GPU `index`, where components stay."""
    mine = [part for part in parts if part.device == index]
    return CONTEXT + sum(part.bytes for part in mine) + max((working[part.name] for part in mine), default=0)


def _passing(parts: Sequence[ComponentPlan]) -> int:
    """Bytes of the largest component that passes through main memory on its way to the GPU. Quantised ones do not:
    they are read from the mapped file matrix by matrix."""
    return max((part.bytes for part in parts if part.precision == "none"), default=0)


def stored_bytes(name: str, size: ComponentSize, record: ModelRecord) -> int:
    """Bytes of a component's files."""
    return (
        size.held_bytes(record.dtypes.get(name, record.dtype), "none") if size.file_bytes is None else size.file_bytes
    )


def computing(case: Case, rung: Rung, part: ComponentPlan) -> int:
    """Bytes that a component takes to compute."""
    tiled = rung.tiled and case.sizes[part.name].kind in TILING
    pixels = min(case.pixels, TILE**2) if tiled else case.pixels
    live = computing_bytes(part.name, case.sizes, case.record, pixels, WIDTH[part.dtype], guided=case.guided)
    return round(live * HELD["cpu" if rung.device.kind == "cpu" else "gpu"])


def room(device: Device) -> int:
    """Bytes that may be filled: what is free, less the reserve."""
    return device.memory_free - round(RESERVE * device.memory_total)
