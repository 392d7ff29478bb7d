"""One component: the precision that was asked for, T5's `wo`, and a report of what was left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from diffusers import SD3Transformer2DModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5ForConditionalGeneration

from pipeline.engine.component import LoadedComponent, load_component
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.errors import ModelUnavailable
from pipeline.models.registry import ModelRecord

Load = Callable[..., LoadedComponent]
WO = "encoder.block.0.layer.1.DenseReluDense.wo"
TOKENS = torch.arange(3, 23)[None]


@pytest.fixture
def load(sd35: ModelRecord, tmp_path: Path) -> Load:
    """Load a component, of the tiny SD3.5 checkpoint unless `folder` is another."""

    def go(
        kind: type, name: str, precision: str = "nf4", folder: Path | None = None, **changes: Any
    ) -> LoadedComponent:
        assert sd35.local is not None
        wishes = {"dtype": torch.bfloat16, "device": "cpu", "record": sd35, "emit": pytest.fail}
        cache = QuantizedCache(tmp_path / "cache")
        place = folder or sd35.local / name
        return load_component(kind, place, name, precision=precision, cache=cache, **wishes | changes)  # type: ignore[arg-type]

    return go


@pytest.fixture
def t5(load: Load) -> Callable[..., LoadedComponent]:
    return lambda precision, **changes: load(T5EncoderModel, "text_encoder_3", precision, **changes)


def encode(model: Any) -> torch.Tensor:
    with torch.no_grad():
        hidden: torch.Tensor = model(TOKENS)[0]
    return hidden.float()


@pytest.mark.parametrize("precision", ["none", "nf4", "nf4-full", "int8"])
def test_in_bfloat16_no_weight_of_t5_becomes_float32(t5: Load, precision: str) -> None:
    dtypes = {tensor.dtype for tensor in t5(precision).model.parameters()}
    assert torch.bfloat16 in dtypes
    assert torch.float32 not in dtypes


def test_nf4_leaves_wo_in_16_bits_and_says_so(t5: Load) -> None:
    loaded = t5("nf4")
    assert loaded.model.get_submodule(WO).weight.dtype == torch.bfloat16
    assert type(loaded.model.get_submodule(WO)) is torch.nn.Linear
    left = {layer.name: layer for layer in loaded.report.largest_left}
    kept = left["encoder.block.*.layer.*.DenseReluDense.wo"]
    assert (kept.layers, kept.parameters, kept.reason) == (2, 2 * 128 * 256, "kept by transformers")


def test_nf4_full_quantises_wo_too(t5: Load) -> None:
    half, full = t5("nf4"), t5("nf4-full")
    assert isinstance(full.model.get_submodule(WO), Linear4bit)
    assert full.report.precision == "nf4-full"
    assert full.report.bytes_after < half.report.bytes_after
    assert full.report.parameters == half.report.parameters
    assert full.report.bytes_before == half.report.bytes_before
    assert not any("wo" in layer.name for layer in full.report.largest_left)


def test_nf4_full_computes_sense_and_the_same_every_time(t5: Load) -> None:
    exact, full = encode(t5("none").model), t5("nf4-full").model
    first = encode(full)
    assert (first - exact).norm() < 0.3 * exact.norm()
    assert torch.equal(encode(full), first)


@pytest.mark.parametrize("precision", ["nf4", "nf4-full"])
def test_what_transformers_keeps_is_as_before_afterwards(t5: Load, precision: str) -> None:
    t5(precision)
    assert T5EncoderModel._keep_in_fp32_modules == ["wo"]


def test_what_transformers_keeps_is_as_before_after_a_failure(load: Load, tmp_path: Path) -> None:
    T5Config().save_pretrained(tmp_path / "empty")
    with pytest.raises(OSError, match="safetensors"):
        load(T5EncoderModel, "text_encoder_3", "nf4-full", folder=tmp_path / "empty")
    assert T5EncoderModel._keep_in_fp32_modules == ["wo"]


def test_in_float16_wo_would_overflow_and_stays_float32(t5: Load) -> None:
    loaded = t5("nf4-full", dtype=torch.float16)
    assert loaded.model.get_submodule(WO).weight.dtype == torch.float32
    assert loaded.report.precision == "nf4"


def test_nf4_full_takes_the_projection_of_a_text_encoder_too(load: Load) -> None:
    half, full = (load(CLIPTextModelWithProjection, "text_encoder", precision) for precision in ("nf4", "nf4-full"))
    assert type(half.model.text_projection) is torch.nn.Linear
    assert isinstance(full.model.text_projection, Linear4bit)


def test_an_output_layer_that_is_the_embedding_stays_it(load: Load, tmp_path: Path) -> None:
    config = T5Config(vocab_size=64, d_model=64, d_kv=16, d_ff=128, num_layers=1, num_heads=4, tie_word_embeddings=True)
    T5ForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(tmp_path / "t5")
    loaded = load(T5ForConditionalGeneration, "text_encoder_3", "nf4-full", folder=tmp_path / "t5")
    assert loaded.model.lm_head.weight is loaded.model.shared.weight
    assert isinstance(loaded.model.get_submodule("decoder.block.0.layer.2.DenseReluDense.wo"), Linear4bit)


def test_diffusers_keeps_nothing_so_that_nf4_is_full(load: Load) -> None:
    report = load(SD3Transformer2DModel, "transformer", "nf4-full").report
    assert report.precision == "nf4"
    assert report.largest_left[0].name == "pos_embed"


def test_a_component_that_is_not_quantised_has_no_report(t5: Load) -> None:
    assert t5("none").report is None


def test_a_report_adds_up(load: Load) -> None:
    loaded = load(SD3Transformer2DModel, "transformer", "nf4")
    report = loaded.report
    plain = load(SD3Transformer2DModel, "transformer", "none").model
    held = sum(tensor.nbytes for tensor in [*plain.parameters(), *plain.buffers()])
    assert report.bytes_before == held
    assert report.parameters == sum(tensor.numel() for tensor in plain.parameters())
    assert report.bytes_after < 0.6 * held
    assert report.seconds > 0
    assert not report.cached


def test_a_variant_is_read_from_its_own_files(load: Load, sd35: ModelRecord, tmp_path: Path) -> None:
    load(CLIPTextModelWithProjection, "text_encoder", "none").model.save_pretrained(tmp_path / "clip", variant="fp16")
    assert [file.name for file in (tmp_path / "clip").glob("*.safetensors")] == ["model.fp16.safetensors"]
    loaded = load(CLIPTextModelWithProjection, "text_encoder", "nf4", folder=tmp_path / "clip", variant="fp16")
    assert loaded.report.precision == "nf4"


@pytest.mark.parametrize("precision", ["none", "nf4"])
def test_missing_tensors_are_named(load: Load, tmp_path: Path, precision: str) -> None:
    load(T5EncoderModel, "text_encoder_3", "none").model.save_pretrained(tmp_path / "t5")
    file = tmp_path / "t5" / "model.safetensors"
    tensors = load_file(file)
    del tensors[f"{WO}.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=f"lacks 1 of the weights of text_encoder_3, such as {WO}.weight"):
        load(T5EncoderModel, "text_encoder_3", precision, folder=tmp_path / "t5")
