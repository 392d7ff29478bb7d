import sys

import pytest

from pipeline.models import hardware
from pipeline.models.hardware import Device


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Installs a driver tool that prints so, and no other."""

    def install(answer: str, code: int = 0) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!{sys.executable}\nimport sys\nprint({answer!r})\nsys.exit({code})\n")
        tool.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return install


def test_without_a_driver_there_is_only_the_cpu(nvidia_smi):
    found = hardware.detect()
    assert [device.kind for device in found.devices] == ["cpu"]
    assert (found.gpus, found.problem) == ((), "")
    assert 0 < found.best.memory_free <= found.best.memory_total


def test_the_drivers_gpus_come_first_with_their_memory_in_bytes(nvidia_smi, monkeypatch):
    monkeypatch.setattr(hardware, "torch_cuda", lambda: "13.0")
    nvidia_smi("0, NVIDIA GeForce RTX 4070, 12282, 11000\n1, NVIDIA T4, 15360, 15000")
    found = hardware.detect()
    assert [device.label for device in found.gpus] == ["cuda:0 (NVIDIA GeForce RTX 4070)", "cuda:1 (NVIDIA T4)"]
    assert (found.best.memory_total, found.best.memory_free) == (12282 * 2**20, 11000 * 2**20)
    assert found.devices[-1].kind == "cpu"


def test_a_gpu_that_shares_the_main_memory_has_that(nvidia_smi, monkeypatch):
    monkeypatch.setattr(hardware, "torch_cuda", lambda: "13.0")
    nvidia_smi("0, NVIDIA GB10, [N/A], [N/A]")
    assert hardware.detect().best.memory_total == hardware.cpu().memory_total


def test_a_torch_without_cuda_leaves_the_gpu_and_says_why(nvidia_smi, monkeypatch):
    monkeypatch.setattr(hardware, "torch_cuda", lambda: None)
    nvidia_smi("0, NVIDIA T4, 15360, 15000")
    found = hardware.detect()
    assert found.gpus == ()
    assert "built without CUDA" in found.problem


@pytest.mark.parametrize(("answer", "code"), [("No devices were found", 0), ("driver mismatch", 18), ("", 0)])
def test_a_driver_that_shows_no_gpu_is_a_problem_and_no_error(nvidia_smi, answer, code):
    nvidia_smi(answer, code)
    assert hardware.detect().problem == "The NVIDIA driver is installed, but it reports no GPU."


@pytest.mark.parametrize("line", ["| Driver Version: 580.1  CUDA Version: 13.0 |", "CUDA UMD Version : 13.0"])
def test_the_drivers_cuda_version_is_read(nvidia_smi, line):
    nvidia_smi(line)
    assert hardware.driver_cuda() == "13.0"


def test_the_cuda_version_of_torch_is_what_torch_itself_says():
    import torch

    assert hardware.torch_cuda() == torch.version.cuda


def test_a_torch_that_is_not_installed_has_no_cuda(monkeypatch):
    def missing(name: str):
        raise hardware.PackageNotFoundError(name)

    monkeypatch.setattr(hardware, "distribution", missing)
    assert hardware.torch_cuda() is None


def test_only_cuda_devices_are_numbered():
    assert Device(kind="mps", name="Apple M4", memory_total=1, memory_free=1).label == "mps (Apple M4)"
