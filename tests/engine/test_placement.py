"""Every machine's placement, tried by handing in its hardware."""

from __future__ import annotations

import pytest

from pipeline.engine.placement import Placement, place
from pipeline.errors import InvalidRequest
from pipeline.models.hardware import Device, Hardware
from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import SD35

GIB = 2**30


def machine(kind: str, index: int = 0) -> Hardware:
    gpu = Device(kind=kind, index=index, name="Test GPU", memory_total=12 * GIB, memory_free=11 * GIB)
    cpu = Device(kind="cpu", name="8 cores", memory_total=32 * GIB, memory_free=30 * GIB)
    return Hardware(devices=(cpu,) if kind == "cpu" else (gpu, cpu))


@pytest.fixture(scope="module")
def medium() -> ModelRecord:
    return Registry.read().find(SD35)


def facts(placement: Placement) -> tuple[str, str, str, str]:
    return placement.device, placement.dtype, placement.quantization, placement.offload


def test_a_cuda_gpu_follows_the_record(medium: ModelRecord) -> None:
    placement = place(medium, machine("cuda", 1))
    assert facts(placement) == ("cuda:1", "bfloat16", "nf4", "model")
    assert placement.label == "cuda:1 (Test GPU)"
    assert "as the model's record advises" in placement.reason
    assert placement.warnings == ()


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
@pytest.mark.parametrize("offload", ["none", "model", "group", "sequential"])
def test_a_cuda_gpu_follows_a_wish(medium: ModelRecord, quantization: str, offload: str) -> None:
    placement = place(medium, machine("cuda"), quantization, offload)
    assert facts(placement) == ("cuda:0", "bfloat16", quantization, offload)
    assert "was asked for" in placement.reason


def test_a_gpu_without_bfloat16_falls_back_to_float16(medium: ModelRecord) -> None:
    placement = place(medium, machine("cuda"), bfloat16=False)
    assert placement.dtype == "float16"
    assert "does not compute in bfloat16" in placement.reason


def test_a_processor_holds_the_model_as_it_is(medium: ModelRecord) -> None:
    assert facts(place(medium, machine("cpu"))) == ("cpu", "bfloat16", "none", "none")


def test_a_processor_computes_float32_in_place_of_float16(medium: ModelRecord) -> None:
    record = medium.model_copy(update={"dtype": "float16"})
    assert place(record, machine("cpu")).dtype == "float32"
    assert place(record, machine("cuda")).dtype == "float16"


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_offload_on_a_processor_is_ignored_with_a_warning(medium: ModelRecord, offload: str) -> None:
    placement = place(medium, machine("cpu"), "nf4", offload)
    assert (placement.quantization, placement.offload) == ("nf4", "none")
    assert f"Offload {offload} is ignored" in placement.warnings[0]


def test_an_apple_gpu_shares_its_memory_so_nothing_is_offloaded(medium: ModelRecord) -> None:
    assert facts(place(medium, machine("mps"))) == ("mps", "bfloat16", "none", "none")


def test_eight_bits_on_an_apple_gpu_are_refused(medium: ModelRecord) -> None:
    with pytest.raises(InvalidRequest, match="Eight-bit weights do not run on Apple GPUs") as caught:
        place(medium, machine("mps"), "int8")
    assert caught.value.info.field == "quantization"


def test_an_intel_gpu_is_treated_like_a_cuda_one(medium: ModelRecord) -> None:
    assert facts(place(medium, machine("xpu"))) == ("xpu:0", "bfloat16", "nf4", "model")


def test_a_model_without_anything_worth_quantising_says_so(medium: ModelRecord) -> None:
    placement = place(medium.model_copy(update={"nf4": ()}), machine("cuda"), "nf4")
    assert placement.quantization == "none"
    assert "no component worth quantising" in placement.warnings[0]
