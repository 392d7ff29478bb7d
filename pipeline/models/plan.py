"""What fits this machine, and how: decided before anything is downloaded, from figures alone.

A ladder of placements, best first: everything on the device, then four bits, spread over several GPUs, whole
components resting in main memory, layers resting there, and last the processor. The first that fits is the plan.
`plan` only reads its arguments, so any machine's case can be tried anywhere; `plan_for` looks at the disk for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest
from pipeline.models import hub
from pipeline.models.hardware import Device, Hardware
from pipeline.models.registry import DType, ModelRecord
from pipeline.models.sizes import HELD, WIDTH, ComponentSize, component_sizes, computing_bytes, known_sizes
from pipeline.models.stored import inventory
from pipeline.request import GenerationRequest, Precision

Resting = Literal["none", "model", "group", "sequential"]

TILE = 512
"""Side of a tile in pixels when the VAE decodes in tiles."""
CONTEXT = 500_000_000
"""Bytes of GPU memory that the driver and the libraries take for themselves; an estimate."""
PROCESS = {"cpu": 500_000_000, "gpu": 1_500_000_000}
"""Bytes of main memory that a worker takes without a model. On a processor measured, once it has made a picture with a
tiny one; with the libraries of a GPU, an estimate."""
RESERVE = 0.04
"""Part of a memory that is left free: for fragments, and for what other programs take meanwhile."""

_READING = 0.5
"""Part of a component's file that exists once more, unquantised, while it is quantised; measured."""

_ENDINGS = {"none": "", "nf4": "in four bits", "nf4-full": "in four bits throughout", "int8": "in eight bits"}
_TILING = {"AutoencoderKL", "AutoencoderDC", "AutoencoderKLQwenImage"}
"""VAE classes that can decode in tiles."""
_STAYING = {"safety_checker", "prior_prior"}
"""Components that diffusers leaves on the device under model offload (Stable Diffusion, HunyuanDiT, Kandinsky)."""


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


class Plan(BaseModel):
    """Whether a request fits, how it would run, and what it takes. Sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    model: str
    """Id of the model."""
    fits: bool
    possible: bool
    """Whether it would fit at least if nothing else ran, and GPU figures, which are estimates, were too high."""
    device: str
    """Such as `cuda:0 (NVIDIA GeForce RTX 4070)`."""
    kind: Literal["cuda", "mps", "xpu", "cpu"]
    index: int = 0
    """Of the device among its kind."""
    dtype: DType
    """Of everything that is not quantised, but for components that need another."""
    quantization: Precision
    """Of the components that are worth it."""
    offload: Resting
    spread: bool = False
    """Whether components are spread over all GPUs."""
    tiled: bool = False
    """Whether the VAE decodes in tiles."""
    components: tuple[ComponentPlan, ...]
    weight_bytes: int
    activation_bytes: int
    """What is computed with at most at once; an estimate."""
    peak_device_bytes: int
    """At most on one device, context included; on a processor the same as `needed_ram_bytes`."""
    device_bytes: int
    """Memory of that device in all."""
    peak_ram_bytes: int
    """At most in main memory while loading or computing, the worker itself included."""
    needed_ram_bytes: int
    """Of this, what the system cannot take back when it is short; the rest are files that are read through."""
    download_bytes: int = 0
    disk_free_bytes: int = 0
    licence: str
    gated: bool
    exact: bool
    """Whether weights were counted in the files on this disk, instead of known from their architectures."""
    reason: str
    sentence: str
    """All of it in one line for a person."""
    nearest: tuple[str, ...] = ()
    """What would fit, when this does not: four bits, a smaller size, a smaller model."""
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What two plans share when one loaded pipeline serves both."""
        held = tuple((part.name, part.dtype, part.precision, part.device) for part in self.components)
        return self.kind, self.index, self.offload, self.spread, self.tiled, held


def plan_for(
    record: ModelRecord, request: GenerationRequest, hardware: Hardware, candidates: Sequence[ModelRecord] = ()
) -> Plan:
    """The plan of `request` with what is on this disk taken into account; `candidates` are other models to name when
    it does not fit. Raises `InvalidRequest` for what the device cannot do."""
    stock, sizes = inventory(record), component_sizes(record)
    total = stock.bytes_total or sum(_stored(name, size, record) for name, size in sizes.items())
    wanted = 0 if stock.here else max(0, total - stock.bytes_here)
    found = plan(record, request, hardware, sizes=sizes, candidates=candidates)
    return found.model_copy(update={"download_bytes": wanted, "disk_free_bytes": hub.cache_free_bytes()})


def plan(
    record: ModelRecord,
    request: GenerationRequest,
    hardware: Hardware,
    *,
    sizes: Mapping[str, ComponentSize] | None = None,
    bfloat16: bool = True,
    candidates: Sequence[ModelRecord] = (),
) -> Plan:
    """The best placement that fits; if none does, the one that lacks least, with what would fit.

    `sizes` are those of `record`'s components, and its architectures' when None; `bfloat16` says whether the device
    computes in it. Raises `InvalidRequest` for what the device cannot do.
    """
    rungs = ladder(record, request, hardware, sizes=sizes, bfloat16=bfloat16)
    best = next((rung for rung in rungs if rung.fits), None)
    if best is not None:
        return best
    least = min(rungs, key=lambda rung: _lacking(rung, hardware))
    return least.model_copy(update={"nearest": nearest(record, request, hardware, sizes, bfloat16, candidates)})


def ladder(
    record: ModelRecord,
    request: GenerationRequest,
    hardware: Hardware,
    *,
    sizes: Mapping[str, ComponentSize] | None = None,
    bfloat16: bool = True,
) -> list[Plan]:
    """Every placement that the request allows, best first, whether it fits or not. Arguments as in `plan`."""
    sizes = known_sizes(record) if sizes is None else sizes
    _check(record, request, hardware, sizes)
    case = _Case(record, request, hardware, sizes, bfloat16)
    return [_planned(case, rung) for rung in _rungs(case)]


def nearest(
    record: ModelRecord,
    request: GenerationRequest,
    hardware: Hardware,
    sizes: Mapping[str, ComponentSize] | None = None,
    bfloat16: bool = True,
    candidates: Sequence[ModelRecord] = (),
) -> tuple[str, ...]:
    """What would fit on the best device instead: other settings, a smaller size, a smaller model: the largest."""

    def fits(model: ModelRecord, wish: GenerationRequest, known: Mapping[str, ComponentSize] | None) -> bool:
        rungs = ladder(model, wish, hardware, sizes=known, bfloat16=bfloat16)
        return any(rung.fits and rung.kind == hardware.best.kind for rung in rungs)

    found = []
    settings = (text for text, wish in _other_settings(record, request) if fits(record, wish, sizes))
    found += [text for text in [next(settings, None)] if text]
    for width, height in _smaller(record, request):
        if fits(record, request.model_copy(update={"width": width, "height": height}), sizes):
            found.append(f"{width} × {height} pixels")
            break
    plain = GenerationRequest(prompt=request.prompt)
    weight = _parameters(known_sizes(record) if sizes is None else sizes)
    for other in sorted(candidates, key=lambda model: -_parameters(known_sizes(model))):
        if 0 < _parameters(known_sizes(other)) < weight and other.id != record.id and fits(other, plain, None):
            found.append(other.name)
            break
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Case:
    """What is asked, of which model, and where."""

    record: ModelRecord
    request: GenerationRequest
    hardware: Hardware
    sizes: Mapping[str, ComponentSize]
    bfloat16: bool

    @property
    def pixels(self) -> int:
        width, height = self.record.size.native
        return (self.request.width or width) * (self.request.height or height)

    @property
    def guided(self) -> bool:
        guidance = self.request.guidance_scale
        return (self.record.guidance.default if guidance is None else guidance) > 1

    @property
    def main_memory(self) -> Device:
        return self.hardware.devices[-1]

    def tiles(self) -> bool:
        """Whether decoding in tiles would help."""
        return self.pixels > TILE**2 and any(size.kind in _TILING for size in self.sizes.values())


@dataclass(frozen=True, slots=True)
class _Rung:
    """One way to hold the model."""

    device: Device
    quantization: Precision
    offload: Resting = "none"
    spread: bool = False
    tiled: bool = False
    precisions: dict[str, Precision] = field(default_factory=dict)
    """Of every component."""


def _check(
    record: ModelRecord, request: GenerationRequest, hardware: Hardware, sizes: Mapping[str, ComponentSize]
) -> None:
    """Raise `InvalidRequest` for what cannot be, whatever the memory."""
    wishes = {request.quantization, *request.component_quantization.values()}
    if "int8" in wishes and hardware.best.kind == "mps":
        raise InvalidRequest(
            "Eight-bit weights do not run on Apple GPUs: bitsandbytes has no kernel for them there.",
            "Choose quantization nf4 or none.",
            field="quantization",
        )
    quantized = (request.quantization not in {"auto", "none"} and record.nf4) or any(
        wish not in {"auto", "none"} for wish in request.component_quantization.values()
    )
    if request.offload == "sequential" and quantized and hardware.best.kind not in {"cpu", "mps"}:
        raise InvalidRequest(
            "Offload sequential takes quantised weights apart, and bitsandbytes cannot put them together again.",
            "Choose offload model or group, or quantization none.",
            field="offload",
        )
    unknown = sorted(set(request.component_quantization) - set(sizes)) if sizes else []
    if unknown:
        raise InvalidRequest(
            f"{record.name} has no component {unknown[0]}.",
            f"Its components are {', '.join(sorted(sizes))}.",
            field="component_quantization",
        )


def _rungs(case: _Case) -> Iterator[_Rung]:
    """The ladder, best first."""
    plain, *smaller = _precisions(case)
    best = case.hardware.best
    if best.kind in {"cpu", "mps"}:
        yield from (_rung(case, best, precision) for precision in (plain, *smaller))
        return
    if case.request.offload != "auto":
        wished = [_rung(case, best, precision, case.request.offload) for precision in (plain, *smaller)]
        yield from wished
        yield from (replace(rung, tiled=True) for rung in wished if case.tiles())
        return
    yield from _on_gpus(case, best, plain, smaller)
    yield from (_rung(case, case.main_memory, precision) for precision in (plain, *smaller))


def _on_gpus(case: _Case, best: Device, plain: Precision, smaller: list[Precision]) -> Iterator[_Rung]:
    whole = {precision: _rung(case, best, precision) for precision in (plain, *smaller)}
    offloaded = {precision: _rung(case, best, precision, "model") for precision in whole}
    several = len([gpu for gpu in case.hardware.gpus if gpu.kind == best.kind]) > 1
    spread = {precision: [replace(rung, spread=True)] if several else [] for precision, rung in whole.items()}
    if case.record.quantization == "none":
        order = (plain, *smaller)
        for precision in order:
            yield from (whole[precision], *spread[precision], offloaded[precision])
    else:
        order = (*smaller, plain)
        yield from whole.values()
        yield from (rung for precision in whole for rung in spread[precision])
        yield from (offloaded[precision] for precision in order)
    if case.tiles():
        yield from (replace(held[precision], tiled=True) for held in (whole, offloaded) for precision in order)
    if set(whole[plain].precisions.values()) <= {"none"}:
        for offload in ("group", "sequential"):
            rung = replace(whole[plain], offload=offload)
            yield rung
            yield from [replace(rung, tiled=True)] if case.tiles() else []


def _precisions(case: _Case) -> list[Precision]:
    """What the components worth quantising may be held in, best first."""
    wish, record = case.request.quantization, case.record
    if not record.nf4:
        return ["none"]
    if wish != "auto":
        return [wish]
    small: Precision = "nf4" if record.quantization == "none" else record.quantization
    return ["none", "nf4" if small == "int8" and case.hardware.best.kind == "mps" else small]


def _rung(case: _Case, device: Device, precision: Precision, offload: Resting = "none") -> _Rung:
    held: dict[str, Precision] = {name: precision if name in case.record.nf4 else "none" for name in case.sizes}
    own = {name: wish for name, wish in case.request.component_quantization.items() if wish != "auto"}
    return _Rung(device, precision, offload, precisions=held | own)


def _planned(case: _Case, rung: _Rung) -> Plan:
    record, device = case.record, rung.device
    parts = [_component(case, rung, name) for name in sorted(case.sizes)]
    if rung.spread:
        parts = _spread(case, parts)
    working = {part.name: _computing(case, rung, part) for part in parts}
    on_device = _on_devices(case, rung, parts, working)
    in_ram, mapped = _in_ram(case, rung, parts, working)
    fits = all(need <= room(one) for one, need in on_device.items()) and in_ram <= room(case.main_memory)
    peak = max(on_device.values(), default=in_ram)
    reserve = f"{RESERVE:.0%} of it are kept free"
    dtype, why = _dtype(record, device, case.bfloat16)
    how = _how(rung)
    return Plan(
        model=record.id,
        fits=fits,
        possible=in_ram <= case.main_memory.memory_total
        and all(
            sum(part.bytes for part in parts if part.resident and part.device == one.index) <= one.memory_total
            for one in on_device
        ),
        device=device.label,
        kind=device.kind,
        index=device.index,
        dtype=dtype,
        quantization=rung.quantization,
        offload=rung.offload,
        spread=rung.spread,
        tiled=rung.tiled,
        components=tuple(parts),
        weight_bytes=sum(part.bytes for part in parts),
        activation_bytes=max(working.values(), default=0),
        peak_device_bytes=peak,
        device_bytes=device.memory_total,
        peak_ram_bytes=mapped,
        needed_ram_bytes=in_ram,
        licence=record.licence.name,
        gated=record.licence.gated,
        exact=bool(case.sizes) and all(size.exact for size in case.sizes.values()),
        reason=f"{record.name} on {device.label}: {why}; {_chosen(case, rung)}; {how}. About {_gb(peak)} of "
        f"{_gb(device.memory_free)} GB free memory, and {_gb(in_ram)} of {_gb(case.main_memory.memory_free)} GB of "
        f"main memory; {reserve}.",
        sentence=_sentence(case, rung, on_device, in_ram, fits),
        warnings=tuple(_warnings(case, rung)),
    )


def _component(case: _Case, rung: _Rung, name: str) -> ComponentPlan:
    size, precision = case.sizes[name], rung.precisions[name]
    dtype = _dtype_of(name, case.record, rung.device, case.bfloat16)
    return ComponentPlan(
        name=name,
        parameters=size.parameters,
        dtype=dtype,
        precision=precision,
        bytes=size.held_bytes(dtype, precision),
        resident=rung.offload == "none" or (rung.offload == "model" and name in _STAYING),
        device=rung.device.index,
    )


def _spread(case: _Case, parts: Sequence[ComponentPlan]) -> list[ComponentPlan]:
    """Each component on the GPU with the most room left, the largest first."""
    left = {gpu.index: room(gpu) for gpu in case.hardware.gpus if gpu.kind == case.hardware.best.kind}
    placed = []
    for part in sorted(parts, key=lambda part: -part.bytes):
        roomiest = max(left, key=lambda index: left[index])
        left[roomiest] -= part.bytes
        placed.append(part.model_copy(update={"device": roomiest}))
    return sorted(placed, key=lambda part: part.name)


def _on_devices(
    case: _Case, rung: _Rung, parts: Sequence[ComponentPlan], working: Mapping[str, int]
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


def _in_ram(case: _Case, rung: _Rung, parts: Sequence[ComponentPlan], working: Mapping[str, int]) -> tuple[int, int]:
    """Bytes at most in main memory: those that are needed, and with the files that are mapped into it meanwhile.

    Weights that are kept as they are stored are the mapped file itself. Those that are converted exist beside it until
    they are all read; so do quantised ones, and as some of their layers stay in the file, it stays mapped on a
    processor. Measured on checkpoints of 100 million parameters.
    """
    weights, computing = sum(part.bytes for part in parts), max(working.values(), default=0)
    stored = {part.name: _stored(part.name, case.sizes[part.name], case.record) for part in parts}
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


def _stored(name: str, size: ComponentSize, record: ModelRecord) -> int:
    """Bytes of a component's files."""
    return (
        size.held_bytes(record.dtypes.get(name, record.dtype), "none") if size.file_bytes is None else size.file_bytes
    )


def _computing(case: _Case, rung: _Rung, part: ComponentPlan) -> int:
    """Bytes that a component takes to compute."""
    tiled = rung.tiled and case.sizes[part.name].kind in _TILING
    pixels = min(case.pixels, TILE**2) if tiled else case.pixels
    live = computing_bytes(part.name, case.sizes, case.record, pixels, WIDTH[part.dtype], guided=case.guided)
    return round(live * HELD["cpu" if rung.device.kind == "cpu" else "gpu"])


def room(device: Device) -> int:
    """Bytes that may be filled: what is free, less the reserve."""
    return device.memory_free - round(RESERVE * device.memory_total)


def _lacking(found: Plan, hardware: Hardware) -> int:
    """Bytes that are missing for a plan."""
    device = next(one for one in hardware.devices if (one.kind, one.index) == (found.kind, found.index))
    on_device = 0 if found.kind in {"cpu", "mps"} else found.peak_device_bytes - room(device)
    return max(on_device, found.needed_ram_bytes - room(hardware.devices[-1]))


def _dtype(record: ModelRecord, device: Device, bfloat16: bool) -> tuple[DType, str]:
    """The record's dtype, or what stands in for it.

    Without bfloat16 a GPU falls back to float16, which is as small; T5's large activations stay safe, because
    transformers keeps the layers that overflow in float32. A processor computes float16 slowly and not everywhere,
    so there it becomes float32.
    """
    if record.dtype == "bfloat16" and not bfloat16:
        return "float16", "float16, since this device does not compute in bfloat16"
    if record.dtype == "float16" and device.kind == "cpu":
        return "float32", "float32, since processors compute float16 slowly"
    return record.dtype, record.dtype


def _dtype_of(name: str, record: ModelRecord, device: Device, bfloat16: bool) -> DType:
    """The dtype of one component. One that needs bfloat16 beside float16 gets float32 where that cannot be had."""
    own = record.dtypes.get(name)
    if own is None or own == record.dtype:
        return _dtype(record, device, bfloat16)[0]
    if (own == "bfloat16" and not bfloat16) or (own == "float16" and device.kind == "cpu"):
        return "float32"
    return own


def _chosen(case: _Case, rung: _Rung) -> str:
    """Why the weights are as they are."""
    if not case.record.nf4:
        return "no component is worth quantising"
    if case.request.quantization != "auto":
        return f"quantization {rung.quantization} was asked for"
    if rung.quantization == "none":
        return "weights unquantised"
    return f"quantization {rung.quantization}, since memory is short"


def _how(rung: _Rung) -> str:
    """Where the weights are while the model works."""
    if rung.device.kind in {"cpu", "mps"}:
        where = "all in main memory"
    elif rung.spread:
        where = "components spread over the GPUs"
    else:
        where = {
            "none": "all on the GPU",
            "model": "text encoders move to RAM after encoding",
            "group": "weights come from RAM layer by layer, which is slower",
            "sequential": "weights come from RAM one layer at a time, which is much slower",
        }[rung.offload]
    return where + (", the picture is decoded in tiles" if rung.tiled else "")


def _sentence(case: _Case, rung: _Rung, on_device: Mapping[Device, int], in_ram: int, fits: bool) -> str:
    if not case.sizes:
        return "Its size is not known before it is downloaded."
    if fits:
        device, bits = rung.device, _ENDINGS[rung.quantization]
        needs = "/".join(_gb(need) for need in (on_device.values() or [in_ram]))
        ram = " of RAM, on the processor" if device.kind == "cpu" else ""
        how = "" if device.kind == "cpu" else f", {_how(rung)}"
        slow = ", slowly" if device.kind == "cpu" and case.hardware.gpus else ""
        return f"Fits: about {needs} of {_gb(device.memory_total)} GB{ram}{how}{f', {bits}' if bits else ''}{slow}"
    lacking = (*on_device.items(), (case.main_memory, in_ram))
    device, need = next((device, need) for device, need in lacking if need > room(device))
    name = "the GPU" if device.kind != "cpu" else "RAM"
    return f"Does not fit: needs about {_gb(need)} GB of {name}, {_gb(max(0, room(device)))} can be used"


def _warnings(case: _Case, rung: _Rung) -> Iterator[str]:
    request, label = case.request, rung.device.label
    if request.offload not in {"auto", "none"} and rung.device.kind in {"cpu", "mps"}:
        yield f"Offload {request.offload} is ignored: on {label} there is no second memory to offload to."
    if request.quantization not in {"auto", "none"} and not case.record.nf4:
        yield (f"Quantization {request.quantization} is ignored: {case.record.name} has no component worth quantising.")


def _other_settings(record: ModelRecord, request: GenerationRequest) -> Iterator[tuple[str, GenerationRequest]]:
    """Settings that save memory and that the request rules out, in words and as a request."""
    four = {"quantization": "nf4", "component_quantization": {}}
    if record.nf4 and (request.quantization not in {"auto", "nf4"} or request.component_quantization):
        yield "quantization nf4", request.model_copy(update=four)
    if request.offload != "auto":
        yield "offload auto", request.model_copy(update={"offload": "auto"})
        yield "quantization nf4 with offload auto", request.model_copy(update=four | {"offload": "auto"})


def _smaller(record: ModelRecord, request: GenerationRequest) -> Iterator[tuple[int, int]]:
    """Smaller sizes that the model makes, of the same shape if it is free, the largest first."""
    rule = record.size
    width, height = request.width or rule.native[0], request.height or rule.native[1]
    if rule.shapes:
        yield from sorted(
            (shape for shape in rule.shapes if shape[0] * shape[1] < width * height),
            key=lambda shape: -shape[0] * shape[1],
        )
        return
    seen = {(width, height)}
    for sixteenths in range(15, 3, -1):
        across, down = (side * sixteenths // 16 // rule.multiple * rule.multiple for side in (width, height))
        if (across, down) not in seen and rule.fits(across) and rule.fits(down):
            seen.add((across, down))
            yield across, down


def _parameters(sizes: Mapping[str, ComponentSize]) -> int:
    return sum(size.parameters for size in sizes.values())


def _gb(count: int) -> str:
    """Bytes as decimal gigabytes for people."""
    return f"{count / 1e9:.1f}"
