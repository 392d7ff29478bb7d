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

_QUANTIZING = 3.5 * WIDTH["float32"]
"""Bytes for each number of a matrix while a processor quantises it: itself in float32, and 2.5 times as much beside it.
Measured on single matrices of 6 to 17 million numbers with bitsandbytes 0.50, in four bits and in eight."""


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
    all of the component's are read. Quantised ones do too, and as some of its layers stay as they are, its file stays
    mapped where these need no conversion. Measured on checkpoints of 60 to 240 million parameters.
    """
    weights, calculating = sum(part.bytes for part in parts), max(working.values(), default=0)
    process = PROCESS["cpu" if rung.device.kind == "cpu" else "gpu"]
    if rung.device.kind not in {"cpu", "mps"}:
        needed = process + (weights if rung.offload != "none" else _passing(parts))
        return needed, needed + max((_file(case, part) for part in parts if part.precision != "none"), default=0)
    quantizing = max((_quantizing(case, part) for part in parts), default=0)
    held = mapped = peak = 0
    for part in parts:
        held += part.bytes
        peak = max(peak, mapped + held + _read_beside(case, part) + _quantizing(case, part))
        mapped += _file(case, part) if part.precision != "none" and not _is_converted(case, part) else 0
    return process + weights + max(calculating, quantizing), process + max(peak, mapped + weights + calculating)


def _file(case: Case, part: ComponentPlan) -> int:
    return stored_bytes(part.name, case.sizes[part.name], case.record)


def _is_converted(case: Case, part: ComponentPlan) -> bool:
    """Whether what is not quantised has another width in memory than in the file."""
    stored = _file(case, part)
    kept = part.bytes if part.precision == "none" else part.parameters * WIDTH[part.dtype]
    return abs(stored - kept) > 0.05 * stored


def _read_beside(case: Case, part: ComponentPlan) -> int:
    """Bytes of a component's file that are in memory beside its weights while it is read."""
    return _file(case, part) if part.precision != "none" or _is_converted(case, part) else 0


def _quantizing(case: Case, part: ComponentPlan) -> int:
    """Bytes that quantising a component's largest matrix takes."""
    return 0 if part.precision == "none" else round(_QUANTIZING * case.sizes[part.name].largest_matrix())


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
