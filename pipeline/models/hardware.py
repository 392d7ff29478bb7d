"""What this machine has to run a model on, found without importing torch."""

from __future__ import annotations

import csv
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

_SECONDS = 5.0


class Device(BaseModel):
    """One thing that computes. Memory in bytes."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["cuda", "mps", "xpu", "cpu"]
    index: int = 0
    name: str
    memory_total: int
    memory_free: int

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


def cpu() -> Device:
    """This machine's processor and main memory."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Device(kind="cpu", name=f"{cores} cores", memory_total=memory.total, memory_free=memory.available)


def torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA: PyPI's Linux builds are, those marked `+cpu` are not."""
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False


def nvidia_devices() -> tuple[Device, ...]:
    """The NVIDIA GPUs that the driver reports; none without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(
        Device(
            kind="cuda",
            index=int(index),
            name=name.strip(),
            memory_total=int(total) * 2**20,
            memory_free=int(free) * 2**20,
        )
        for index, name, total, free in csv.reader(answer.splitlines())
    )


def detect() -> Hardware:
    """A quick look at the machine. The worker corrects it once torch has tried the devices."""
    gpus = nvidia_devices()
    if gpus and not torch_has_cuda():
        problem = "An NVIDIA GPU is here, but the installed torch was built without CUDA."
        return Hardware(devices=(cpu(),), problem=problem)
    return Hardware(devices=(*gpus, cpu()))
