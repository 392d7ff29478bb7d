"""What this machine has to run a model on, found without importing torch."""

from __future__ import annotations

import csv
import platform
import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "bitsandbytes", "peft", "compel")
_SECONDS = 5.0


class Device(BaseModel):
    """One thing that computes. Memory in bytes."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["cuda", "mps", "xpu", "cpu"]
    index: int = 0
    name: str
    memory_total: int
    memory_free: int
    bfloat16: bool = True
    """Whether it computes in that and does not only imitate it, as NVIDIA GPUs before Ampere, old macOS, and x86
    processors without AVX-512 do."""

    @property
    def label(self) -> str:
        """Such as `cuda:0 (NVIDIA GeForce RTX 4070)`."""
        return f"{self.kind}:{self.index} ({self.name})" if self.kind == "cuda" else f"{self.kind} ({self.name})"


class Hardware(BaseModel):
    """The devices, best first; the last one is always the CPU."""

    model_config = ConfigDict(frozen=True)

    devices: tuple[Device, ...]
    problem: str = ""
    """Why a GPU that is there cannot be used; empty when all is well."""

    @property
    def gpus(self) -> tuple[Device, ...]:
        return tuple(device for device in self.devices if device.kind != "cpu")

    @property
    def best(self) -> Device:
        return self.devices[0]


class EngineReport(BaseModel):
    """What the worker found once torch had tried the devices, and the versions that every recipe names."""

    model_config = ConfigDict(frozen=True)

    hardware: Hardware
    versions: dict[str, str]


def cpu() -> Device:
    """This machine's processor and main memory."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Device(
        kind="cpu",
        name=f"{cores} cores",
        memory_total=memory.total,
        memory_free=memory.available,
        bfloat16=_has_avx512(),
    )


@cache
def _has_avx512() -> bool:
    """Whether an x86 processor has what oneDNN needs to compute in bfloat16; True where Linux does not tell, since the
    worker does later."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return True
    return flags is None or "avx512bw" in flags[1].split()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a picture; an absent one is left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def torch_cuda() -> str | None:
    """The CUDA version that the installed torch was built for, such as `13.0`; None without CUDA or without torch."""
    try:
        text = Path(str(distribution("torch").locate_file("torch/version.py"))).read_text(encoding="utf-8")
    except (PackageNotFoundError, OSError):
        return None
    built_for = re.search(r"^cuda\b.*'([\d.]+)'", text, flags=re.MULTILINE)
    return built_for[1] if built_for else None


def driver_cuda() -> str | None:
    """The newest CUDA version that the NVIDIA driver can run, such as `13.0`; None without a working driver."""
    found = re.search(r"CUDA(?: \w+)? Version\s*:\s*([\d.]+)", _nvidia_smi())
    return found[1] if found else None


def nvidia_devices() -> tuple[Device, ...]:
    """The NVIDIA GPUs that the driver reports; none without a working driver. Raises nothing."""
    query = ["--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    rows = csv.reader(_nvidia_smi(*query).splitlines())
    return tuple(_nvidia_device(*row) for row in rows if len(row) == 4)


def detect() -> Hardware:
    """A quick look at the machine. The worker corrects it once torch has tried the devices."""
    gpus = nvidia_devices()
    if gpus and torch_cuda() is None:
        problem = "An NVIDIA GPU is here, but the installed torch was built without CUDA."
        return Hardware(devices=(cpu(),), problem=problem)
    if not gpus and shutil.which("nvidia-smi"):
        return Hardware(devices=(cpu(),), problem="The NVIDIA driver is installed, but it reports no GPU.")
    return Hardware(devices=(*gpus, cpu()))


def _nvidia_smi(*options: str) -> str:
    """What the driver's own tool prints; empty when there is none, or when it fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return subprocess.run([tool, *options], capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _nvidia_device(index: str, name: str, total: str, free: str) -> Device:
    """One row of the driver's answer. GPUs that share the main memory report `[N/A]` for it."""
    memory = psutil.virtual_memory()
    return Device(
        kind="cuda",
        index=int(index),
        name=name.strip(),
        memory_total=int(total) * 2**20 if total.strip().isdigit() else memory.total,
        memory_free=int(free) * 2**20 if free.strip().isdigit() else memory.available,
    )
