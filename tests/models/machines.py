"""Machines to hand to the planner, which then decides as it would there."""

from __future__ import annotations

from pipeline.models.hardware import Device, Hardware

GIB = 2**30


def machine(*gpus: float, ram: float = 64, kind: str = "cuda", bfloat16: bool = True) -> Hardware:
    """A machine with GPUs of so many GiB, of which a desktop takes a little, and `ram` GiB of main memory, of which
    nine tenths are free; all compute in bfloat16, or only imitate it."""
    found = [
        Device(
            kind=kind,
            index=index,
            name="Test GPU",
            memory_total=round(size * GIB),
            memory_free=round((size - 0.35) * GIB),
            bfloat16=bfloat16,
        )
        for index, size in enumerate(gpus)
    ]
    memory = {"memory_total": round(ram * GIB), "memory_free": round(ram * 0.9 * GIB)}
    return Hardware(devices=(*found, Device(kind="cpu", name="8 cores", **memory, bfloat16=bfloat16)))
