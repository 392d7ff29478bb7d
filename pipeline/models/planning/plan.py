"""What fits this machine, and how: decided before anything is downloaded, from figures alone.

The first rung of `ladder.py` that fits by the figures of `peaks.py` is the plan.
`plan` only reads its arguments, so any machine's case can be tried anywhere; `plan_for` looks at the disk for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest, OutOfMemory
from pipeline.models.files import hub
from pipeline.models.files.stored import inventory
from pipeline.models.hardware import Device, Hardware
from pipeline.models.planning.ladder import Case, Resting, Rung, dtype_of, dtype_on, ways
from pipeline.models.planning.peaks import RESERVE, ComponentPlan, computing, device_peaks, ram_peak, room, stored_bytes
from pipeline.models.planning.sizes import ComponentSize, component_sizes, known_sizes
from pipeline.models.registry import DType, ModelRecord
from pipeline.request import GenerationRequest, Precision

_ENDINGS = {"none": "", "nf4": "in four bits", "nf4-full": "in four bits throughout", "int8": "in eight bits"}
_STAYING = {"safety_checker", "prior_prior"}
"""Components that diffusers leaves on the device under model offload (Stable Diffusion, HunyuanDiT, Kandinsky)."""


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
    record: ModelRecord,
    request: GenerationRequest,
    hardware: Hardware,
    candidates: Sequence[ModelRecord] = (),
    beside: int = 0,
) -> Plan:
    """The plan of `request` with what is on this disk taken into account; `candidates` are other models to name when
    it does not fit, and `beside` are the bytes of its ControlNets.

    Raises `InvalidRequest` for what the device cannot do.
    """
    stock, sizes = inventory(record), component_sizes(record)
    total = stock.bytes_total or sum(stored_bytes(name, size, record) for name, size in sizes.items())
    wanted = 0 if stock.here else max(0, total - stock.bytes_here)
    found = plan(Case(record, request, hardware, sizes, beside=beside), candidates)
    return found.model_copy(update={"download_bytes": wanted, "disk_free_bytes": hub.cache_free_bytes()})


def plan(case: Case, candidates: Sequence[ModelRecord] = ()) -> Plan:
    """The best placement that fits; if none does, the one that lacks least, with what would fit, as `nearest` says.

    Raises `InvalidRequest` for what the device cannot do.
    """
    rungs = ladder(case)
    best = next((rung for rung in rungs if rung.fits), None)
    if best is not None:
        return best
    least = min(rungs, key=lambda rung: _lacking(rung, case.hardware))
    return least.model_copy(update={"nearest": nearest(case, candidates)})


def impossible(record: ModelRecord, sentence: str, ways: Sequence[str]) -> OutOfMemory:
    """The error of a plan that cannot work however idle the machine is: its `sentence`, and the `nearest` ways."""
    return OutOfMemory(f"{record.name}: {sentence[:1].lower()}{sentence[1:]}.", would_fit(ways), field="model")


def would_fit(ways: Sequence[str]) -> str:
    """What to do instead, as a sentence; empty when there is nothing."""
    return f"What would fit: {', or '.join(ways)}." if ways else ""


def ladder(case: Case) -> list[Plan]:
    """Every placement that the request allows, best first, whether it fits or not. Raises as `plan` does."""
    _check(case)
    return [_planned(case, rung) for rung in ways(case)]


def nearest(case: Case, candidates: Sequence[ModelRecord] = ()) -> tuple[str, ...]:
    """What would fit on the best device instead: other settings, a smaller size, a smaller model: the largest of the
    `candidates`."""
    found = []
    settings = (text for text, wish in _other_settings(case) if _fits_best(replace(case, request=wish)))
    found += [text for text in [next(settings, None)] if text]
    for width, height in _smaller(case):
        smaller = case.request.model_copy(update={"width": width, "height": height})
        if _fits_best(replace(case, request=smaller)):
            found.append(f"{width} × {height} pixels")
            break
    plain = GenerationRequest(prompt=case.request.prompt)
    for other in sorted(candidates, key=lambda model: -_parameters(known_sizes(model))):
        unseen = Case.unseen(other, plain, case.hardware)
        lighter = 0 < _parameters(unseen.sizes) < _parameters(case.sizes)
        if lighter and other.id != case.record.id and _fits_best(unseen):
            found.append(other.name)
            break
    return tuple(found)


def _fits_best(case: Case) -> bool:
    """Whether some placement on the best device fits."""
    return any(rung.fits and rung.kind == case.hardware.best.kind for rung in ladder(case))


def _check(case: Case) -> None:
    """Raise `InvalidRequest` for what cannot be, whatever the memory."""
    record, request, best = case.record, case.request, case.hardware.best
    wishes = {request.quantization, *request.component_quantization.values()}
    if "int8" in wishes and best.kind == "mps":
        raise InvalidRequest(
            "Eight-bit weights do not run on Apple GPUs: bitsandbytes has no kernel for them there.",
            "Choose quantization nf4 or none.",
            field="quantization",
        )
    quantized = (request.quantization not in {"auto", "none"} and record.nf4) or any(
        wish not in {"auto", "none"} for wish in request.component_quantization.values()
    )
    if request.offload == "sequential" and quantized and best.kind not in {"cpu", "mps"}:
        raise InvalidRequest(
            "Offload sequential takes quantised weights apart, and bitsandbytes cannot put them together again.",
            "Choose offload model or group, or quantization none.",
            field="offload",
        )
    unknown = sorted(set(request.component_quantization) - set(case.sizes)) if case.sizes else []
    if unknown:
        raise InvalidRequest(
            f"{record.name} has no component {unknown[0]}.",
            f"Its components are {', '.join(sorted(case.sizes))}.",
            field="component_quantization",
        )


def _planned(case: Case, rung: Rung) -> Plan:
    record, device = case.record, rung.device
    parts = [_component(case, rung, name) for name in sorted(case.sizes)]
    if rung.spread:
        parts = _spread(case, parts)
    working = {part.name: computing(case, rung, part) for part in parts}
    # ControlNets stay beside the model for the whole job, wherever it rests.
    on_device = {one: need + case.beside for one, need in device_peaks(case, rung, parts, working).items()}
    in_ram, mapped = (need + case.beside for need in ram_peak(case, rung, parts, working))
    fits = all(need <= room(one) for one, need in on_device.items()) and in_ram <= room(case.main_memory)
    peak = max(on_device.values(), default=in_ram)
    reserve = f"{RESERVE:.0%} of it are kept free"
    dtype, why = dtype_on(record, device)
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


def _component(case: Case, rung: Rung, name: str) -> ComponentPlan:
    size, precision = case.sizes[name], rung.precisions[name]
    dtype = dtype_of(name, case.record, rung.device)
    return ComponentPlan(
        name=name,
        parameters=size.parameters,
        dtype=dtype,
        precision=precision,
        bytes=size.held_bytes(dtype, precision),
        resident=rung.offload == "none" or (rung.offload == "model" and name in _STAYING),
        device=rung.device.index,
    )


def _spread(case: Case, parts: Sequence[ComponentPlan]) -> list[ComponentPlan]:
    """Each component on the GPU with the most room left, the largest first."""
    left = {gpu.index: room(gpu) for gpu in case.hardware.gpus if gpu.kind == case.hardware.best.kind}
    placed = []
    for part in sorted(parts, key=lambda part: -part.bytes):
        roomiest = max(left, key=lambda index: left[index])
        left[roomiest] -= part.bytes
        placed.append(part.model_copy(update={"device": roomiest}))
    return sorted(placed, key=lambda part: part.name)


def _lacking(found: Plan, hardware: Hardware) -> int:
    """Bytes that are missing for a plan."""
    device = next(one for one in hardware.devices if (one.kind, one.index) == (found.kind, found.index))
    on_device = 0 if found.kind in {"cpu", "mps"} else found.peak_device_bytes - room(device)
    return max(on_device, found.needed_ram_bytes - room(hardware.devices[-1]))


def _chosen(case: Case, rung: Rung) -> str:
    """Why the weights are as they are."""
    if not case.record.nf4:
        return "no component is worth quantising"
    if case.request.quantization != "auto":
        return f"quantization {rung.quantization} was asked for"
    if rung.quantization == "none":
        return "weights unquantised"
    if rung.quantization == case.record.quantization and rung.device.kind not in {"cpu", "mps"}:
        return f"quantization {rung.quantization} as the model's record advises"
    return f"quantization {rung.quantization}, since memory is short"


def _how(rung: Rung) -> str:
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


def _sentence(case: Case, rung: Rung, on_device: Mapping[Device, int], in_ram: int, fits: bool) -> str:
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


def _warnings(case: Case, rung: Rung) -> Iterator[str]:
    request, label = case.request, rung.device.label
    if request.offload not in {"auto", "none"} and rung.device.kind in {"cpu", "mps"}:
        yield f"Offload {request.offload} is ignored: on {label} there is no second memory to offload to."
    if request.quantization not in {"auto", "none"} and not case.record.nf4:
        yield (f"Quantization {request.quantization} is ignored: {case.record.name} has no component worth quantising.")


def _other_settings(case: Case) -> Iterator[tuple[str, GenerationRequest]]:
    """Settings that save memory and that the request rules out, in words and as a request."""
    request, four = case.request, {"quantization": "nf4", "component_quantization": {}}
    if case.record.nf4 and (request.quantization not in {"auto", "nf4"} or request.component_quantization):
        yield "quantization nf4", request.model_copy(update=four)
    if request.offload != "auto":
        yield "offload auto", request.model_copy(update={"offload": "auto"})
        yield "quantization nf4 with offload auto", request.model_copy(update=four | {"offload": "auto"})


def _smaller(case: Case) -> Iterator[tuple[int, int]]:
    """Smaller sizes that the model makes, of the same shape if it is free, the largest first."""
    rule = case.record.size
    width, height = case.request.width or rule.native[0], case.request.height or rule.native[1]
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
