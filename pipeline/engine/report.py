"""What torch finds on this machine, and the versions of what computes."""

from __future__ import annotations

import platform
from typing import Literal, cast, get_args

import torch

from pipeline.errors import EngineFailed
from pipeline.models.hardware import Device, EngineReport, Hardware, cpu, detect, versions

Kind = Literal["cuda", "mps", "xpu"]


def report(wanted: str | None = None) -> EngineReport:
    """Devices, the one to use first, and versions.

    `wanted` is a device such as `cpu` or `cuda:1`; None is the best. Raises `EngineFailed` when it is not here.
    """
    found = _hardware()
    return EngineReport(hardware=_with_first(found, wanted) if wanted else found, versions=versions())


def _with_first(hardware: Hardware, wanted: str) -> Hardware:
    for device in hardware.devices:
        if wanted in {device.kind, f"{device.kind}:{device.index}"}:
            rest = tuple(other for other in hardware.devices if other != device)
            return hardware.model_copy(update={"devices": (device, *rest)})
    known = ", ".join(device.label for device in hardware.devices)
    raise EngineFailed(f"DARKROOM_DEVICE asks for {wanted}, which is not here.", f"This machine has {known}.")


def _hardware() -> Hardware:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None or accelerator.type not in get_args(Kind):
        return Hardware(devices=(_cpu(),), problem=_why_no_gpu())
    kind = cast(Kind, accelerator.type)
    try:
        torch.ones(1, device=kind).add_(1).item()
    except RuntimeError as error:
        return Hardware(devices=(_cpu(),), problem=f"A GPU is here, but a first calculation on it failed: {error}")
    return Hardware(devices=(*(_device(kind, index) for index in range(torch.accelerator.device_count())), _cpu()))


def _why_no_gpu() -> str:
    """Empty when there is none; else why torch does not see the one that the driver reports."""
    seen = detect()
    if seen.gpus:
        return "An NVIDIA GPU is here, but torch cannot use it: its driver may be too old for this torch."
    return seen.problem


def _device(kind: Kind, index: int) -> Device:
    able = computes_bfloat16(kind)
    if kind == "mps":
        memory = {"memory_total": cpu().memory_total, "memory_free": cpu().memory_free}
        return Device(kind=kind, name="Apple GPU", **memory, bfloat16=able)
    free, total = torch.accelerator.get_memory_info(index)
    name = torch.get_device_module(kind).get_device_properties(index).name
    return Device(kind=kind, index=index, name=name, memory_total=total, memory_free=free, bfloat16=able)


def _cpu() -> Device:
    return cpu().model_copy(update={"bfloat16": computes_bfloat16("cpu")})


def computes_bfloat16(kind: str) -> bool:
    """Whether a device of that kind really computes in bfloat16.

    On x86 without AVX-512 torch imitates it: a matrix product takes six times as long as in float32, a convolution two
    hundred times (docs/performance.md).
    """
    if kind == "cpu":
        x86 = platform.machine().lower() in {"x86_64", "amd64"}
        return not x86 or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        torch.ones(1, dtype=torch.bfloat16, device=kind).add_(1)
    except (RuntimeError, TypeError):
        return False
    return True
