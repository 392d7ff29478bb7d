"""The sizes in `architectures.toml`: against published figures, and against models that are really quantised."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from diffusers import SD3Transformer2DModel
from transformers import T5Config, T5EncoderModel

from pipeline.engine.check import count
from pipeline.engine.component import load_component
from pipeline.engine.quantize import component_use
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.models.architectures import ARCHITECTURES, Architecture, int8_bytes, nf4_bytes
from pipeline.models.registry import Registry
from pipeline.request import Precision

RECORD = Registry.read().find("demo")
DTYPES = ("bfloat16", "float16")
PRECISIONS: tuple[Precision, ...] = ("none", "nf4", "nf4-full", "int8")

BILLIONS = {
    "sd35-medium-transformer": 2.243, "sd3-medium-transformer": 2.028, "clip-l": 0.124, "clip-g": 0.695,
    "t5-xxl": 4.762, "sdxl-unet": 2.567, "sd15-unet": 0.860, "sd21-unet": 0.866, "kandinsky22-unet": 1.253,
    "kandinsky22-prior": 1.026, "clip-bigg-vision": 1.845, "cogview3-plus-transformer": 2.849, "cogview-vae": 0.406,
    "cogview4-transformer": 6.369, "glm-4-9b": 8.779, "pixart-transformer": 0.611, "lumina-next-transformer": 1.755,
    "gemma-2b": 2.506, "hunyuan-transformer": 1.500, "chinese-roberta-large": 0.352, "mt5-xl": 1.670,
    "flux-transformer": 11.901, "qwen-image-transformer": 20.430, "qwen25-vl-7b": 8.292, "sana-600m-transformer": 0.592,
    "gemma2-2b": 2.614, "unidiffuser-transformer": 0.953, "cascade-prior": 3.589, "cascade-decoder": 1.563,
    "sd-vae": 0.084, "sdxl-vae": 0.084, "sd3-vae": 0.084, "flux-vae": 0.084,
}  # fmt: skip
"""What each has, in thousands of millions, to three decimals."""


@pytest.mark.parametrize(("key", "billions"), BILLIONS.items())
def test_the_large_components_have_the_known_number_of_parameters(key: str, billions: float) -> None:
    assert round(ARCHITECTURES[key].parameters / 1e9, 3) == billions


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_every_architecture_is_part_of_a_model_and_consistent(key: str) -> None:
    found = ARCHITECTURES[key]
    assert any(key in record.components.values() for record in Registry.read().records)
    assert found.upcast <= found.kept <= found.linear <= found.parameters


def test_the_output_layers_of_t5_stay_wide_unless_asked_otherwise() -> None:
    t5 = ARCHITECTURES["t5-xxl"]
    widths = [t5.weight_bytes(2, "nf4"), t5.weight_bytes(2, "nf4-full"), t5.weight_bytes(2, "nf4", float16=True)]
    assert [round(bytes_ / 2**30, 1) for bytes_ in widths] == [3.9, 2.5, 5.7]
    assert t5.weight_bytes(2, "nf4-full", float16=True) == t5.weight_bytes(2, "nf4", float16=True)


def test_the_position_table_of_stable_diffusion_35_is_counted_and_never_quantised() -> None:
    transformer = ARCHITECTURES["sd35-medium-transformer"]
    without = transformer.model_copy(update={"buffers": 0})
    for precision in ("none", "nf4"):
        assert transformer.weight_bytes(2, precision) - without.weight_bytes(2, precision) == 2 * 226_492_416


def test_small_matrices_are_exact_with_their_tables_and_scales() -> None:
    assert nf4_bytes(64 * 256, matrices=1) == 8192 + 256 + 4 + 1088
    assert int8_bytes(128 * 64, rows=128) == 8192 + 512


def t5() -> T5EncoderModel:
    """24 million parameters, a third of them in the embedding."""
    sizes = {"vocab_size": 16_000, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 4, "num_heads": 8}
    return T5EncoderModel(T5Config(**sizes, feed_forward_proj="gated-gelu"))


def sd3() -> SD3Transformer2DModel:
    """24 million parameters, and a position table of half a million numbers."""
    return SD3Transformer2DModel(
        num_layers=5,
        num_attention_heads=6,
        attention_head_dim=64,
        joint_attention_dim=512,
        caption_projection_dim=384,
        pooled_projection_dim=256,
        pos_embed_max_size=36,
        qk_norm="rms_norm",
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[type, tuple[Path, Architecture]]:
    """Both models on disk, and counted."""
    found: dict[type, tuple[Path, Architecture]] = {}
    for model, library in ((t5(), "transformers"), (sd3(), "diffusers")):
        kind = type(model)
        folder = tmp_path_factory.mktemp(kind.__name__)
        model.to(torch.bfloat16).save_pretrained(folder)
        found[kind] = folder, Architecture(library=library, kind=kind.__name__, **asdict(count(model)))
        assert found[kind][1].parameters > 20_000_000
    return found


@pytest.mark.parametrize(
    ("kind", "dtype", "precision"),
    [
        *((T5EncoderModel, dtype, precision) for dtype in DTYPES for precision in PRECISIONS),
        *((SD3Transformer2DModel, "bfloat16", precision) for precision in ("none", "nf4", "int8")),
    ],
)
def test_predicted_bytes_are_within_two_percent_of_a_quantised_model(
    saved: dict[type, tuple[Path, Architecture]], tmp_path: Path, kind: type, dtype: str, precision: Precision
) -> None:
    folder, architecture = saved[kind]
    loaded = load_component(
        kind,
        folder,
        "transformer",
        precision=precision,
        dtype=getattr(torch, dtype),
        device="cpu",
        record=RECORD,
        cache=QuantizedCache(tmp_path),
        emit=lambda event: None,
    )
    measured = component_use(loaded.model)
    assert measured.parameters == architecture.parameters
    predicted = architecture.weight_bytes(2, precision, float16=dtype == "float16")
    assert predicted == pytest.approx(measured.bytes_after, rel=0.02)
