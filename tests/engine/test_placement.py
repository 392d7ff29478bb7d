"""Every machine's placement, tried by handing in its hardware; and pipelines really settled on a processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL

from pipeline.engine.load import load
from pipeline.engine.placement import Placement, below, fitting, place
from pipeline.errors import InvalidRequest
from pipeline.models.hardware import Hardware
from pipeline.models.planning.ladder import TILE, Case
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import GenerationRequest, parse_request
from tests.checkpoints import SD35
from tests.models.machines import machine


@pytest.fixture(scope="module")
def medium() -> ModelRecord:
    return Registry.read().find(SD35)


def asked(**fields: Any) -> GenerationRequest:
    return parse_request(**{"prompt": "a red house"} | fields)


def placed(record: ModelRecord, request: GenerationRequest, hardware: Hardware) -> Placement:
    return place(Case.unseen(record, request, hardware))


def facts(placement: Placement) -> tuple[str, str, str, str]:
    return placement.device, placement.dtype, placement.quantization, placement.offload


def test_a_small_gpu_follows_the_record_s_advice(medium: ModelRecord) -> None:
    placement = placed(medium, asked(), machine(8))
    assert facts(placement) == ("cuda:0", "bfloat16", "nf4", "model")
    assert placement.label == "cuda:0 (Test GPU)"
    assert placement.precisions["transformer"] == placement.precisions["text_encoder_3"] == "nf4"
    assert placement.precisions["vae"] == placement.precisions["text_encoder"] == "none"
    assert "as the model's record advises" in placement.reason
    assert placement.warnings == ()


def test_a_large_gpu_holds_the_model_as_it_is(medium: ModelRecord) -> None:
    assert facts(placed(medium, asked(), machine(48))) == ("cuda:0", "bfloat16", "none", "none")


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
@pytest.mark.parametrize("offload", ["none", "model", "group"])
def test_a_cuda_gpu_follows_a_wish(medium: ModelRecord, quantization: str, offload: str) -> None:
    placement = placed(medium, asked(quantization=quantization, offload=offload), machine(12))
    assert facts(placement) == ("cuda:0", "bfloat16", quantization, offload)
    assert "was asked for" in placement.reason


def test_a_wish_that_will_not_fit_is_followed_and_marked(medium: ModelRecord) -> None:
    placement = placed(medium, asked(quantization="none", offload="none"), machine(12))
    assert facts(placement) == ("cuda:0", "bfloat16", "none", "none")
    assert not placement.fits
    assert "Does not fit" in placement.sentence


def test_what_memory_cannot_hold_at_all_is_not_possible(medium: ModelRecord) -> None:
    assert not placed(medium, asked(), machine(ram=4)).possible
    assert placed(medium, asked(), machine(ram=16)).possible


def test_a_gpu_without_bfloat16_falls_back_to_float16(medium: ModelRecord) -> None:
    placement = placed(medium, asked(), machine(24, bfloat16=False))
    assert placement.dtype == "float16"
    assert "does not compute in bfloat16" in placement.reason


def test_a_component_that_needs_bfloat16_gets_float32_where_there_is_none() -> None:
    sana = next(record for record in Registry.read().records if record.family == "sana")
    placement = placed(sana, asked(), machine(24, bfloat16=False))
    assert placement.dtype_of("transformer") == torch.float16
    assert placement.dtype_of("text_encoder") == torch.float32
    assert placed(sana, asked(), machine(24)).dtype_of("text_encoder") == torch.bfloat16


def test_a_processor_that_only_imitates_bfloat16_computes_in_float32(medium: ModelRecord) -> None:
    placement = placed(medium, asked(), machine(bfloat16=False))
    assert facts(placement) == ("cpu", "float32", "none", "none")
    assert "only imitates bfloat16" in placement.reason
    assert facts(placed(medium, asked(), machine(ram=24, bfloat16=False))) == ("cpu", "float32", "nf4", "none")


def test_a_processor_holds_the_model_as_it_is(medium: ModelRecord) -> None:
    assert facts(placed(medium, asked(), machine())) == ("cpu", "bfloat16", "none", "none")


def test_a_processor_computes_float32_in_place_of_float16(medium: ModelRecord) -> None:
    record = medium.model_copy(update={"dtype": "float16"})
    assert placed(record, asked(), machine()).dtype == "float32"
    assert placed(record, asked(), machine(24)).dtype == "float16"


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_offload_on_a_processor_is_ignored_with_a_warning(medium: ModelRecord, offload: str) -> None:
    placement = placed(medium, asked(quantization="nf4", offload=offload), machine())
    assert (placement.quantization, placement.offload) == ("nf4", "none")
    assert f"Offload {offload} is ignored" in placement.warnings[0]


def test_an_apple_gpu_shares_its_memory_so_nothing_is_offloaded(medium: ModelRecord) -> None:
    assert facts(placed(medium, asked(), machine(32, kind="mps"))) == ("mps", "bfloat16", "none", "none")


def test_eight_bits_on_an_apple_gpu_are_refused(medium: ModelRecord) -> None:
    with pytest.raises(InvalidRequest, match="Eight-bit weights do not run on Apple GPUs") as caught:
        placed(medium, asked(quantization="int8"), machine(32, kind="mps"))
    assert caught.value.info.field == "quantization"


def test_an_intel_gpu_is_treated_like_a_cuda_one(medium: ModelRecord) -> None:
    assert facts(placed(medium, asked(), machine(8, kind="xpu"))) == ("xpu:0", "bfloat16", "nf4", "model")


def test_a_model_without_anything_worth_quantising_says_so(medium: ModelRecord) -> None:
    placement = placed(medium.model_copy(update={"nf4": ()}), asked(quantization="nf4"), machine(24))
    assert placement.quantization == "none"
    assert "no component worth quantising" in placement.warnings[0]


# -- steps down the ladder


def test_the_next_placement_takes_less_and_the_last_has_none_below(medium: ModelRecord) -> None:
    hardware, steps = machine(24), []
    placement: Placement | None = placed(medium, asked(), hardware)
    while placement is not None:
        steps.append(placement)
        placement = below(Case.unseen(medium, asked(), hardware), {step.key for step in steps})
    kinds = [(step.kind, step.quantization, step.offload) for step in steps]
    assert kinds[:2] == [("cuda", "nf4", "none"), ("cuda", "nf4", "model")]
    assert kinds[-1][0] == "cpu"


def test_where_weights_rest_does_not_change_the_picture_but_precision_does(medium: ModelRecord) -> None:
    whole, moved = (placed(medium, asked(quantization="none", offload=how), machine(24)) for how in ("none", "model"))
    small = placed(medium, asked(quantization="nf4", offload="none"), machine(24))
    assert whole.makes_the_same(moved)
    assert not whole.makes_the_same(small)
    assert whole.key in fitting(Case.unseen(medium, asked(), machine(48)))
    assert whole.key not in fitting(Case.unseen(medium, asked(), machine(8)))


# -- really settled


def settled(record: ModelRecord, cache: Path, **changes: Any) -> Any:
    placement = placed(record, asked(), machine()).model_copy(update=changes)
    return load(record, placement, cache, lambda event: None).pipeline


def picture(pipeline: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    arguments = {"width": 64, "height": 64, "num_inference_steps": 2, "max_sequence_length": 32}
    return pipeline("a red house", generator=generator, output_type="pt", **arguments).images


def test_a_spread_pipeline_makes_the_same_picture(demo: ModelRecord, cache: Path) -> None:
    homes = dict.fromkeys(("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "vae"), "cpu")
    spread = settled(demo, cache, devices=homes)
    assert spread.hf_device_map == homes
    assert all(hasattr(getattr(spread, name), "_hf_hook") for name in homes)
    assert torch.equal(picture(spread), picture(settled(demo, cache)))


def test_a_vae_decodes_in_tiles_of_the_size_that_the_plan_counts_with(demo: ModelRecord, cache: Path) -> None:
    pipeline = settled(demo, cache, tiled=True)
    vae: AutoencoderKL = pipeline.vae
    assert vae.use_tiling
    assert (vae.tile_sample_min_size, vae.tile_latent_min_size) == (TILE, TILE // 4)
    shapes: list[torch.Size] = []
    vae.decoder.register_forward_pre_hook(lambda module, inputs: shapes.append(inputs[0].shape))
    with torch.no_grad():
        decoded = vae.decode(torch.zeros(1, 4, 200, 136)).sample
    assert decoded.shape == (1, 3, 800, 544)
    assert max(max(shape[-2:]) for shape in shapes) == TILE // 4
