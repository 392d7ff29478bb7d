"""What the registry says about the real SD3.5 Medium, held against the libraries' own classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import SD35
from tests.engine.conftest import Run


def transformer() -> torch.nn.Module:
    return SD3Transformer2DModel(
        sample_size=128,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=24,
        num_attention_heads=24,
        attention_head_dim=64,
        joint_attention_dim=4096,
        caption_projection_dim=1536,
        pooled_projection_dim=2048,
        pos_embed_max_size=384,
        dual_attention_layers=tuple(range(13)),
        qk_norm="rms_norm",
    )


def t5_xxl() -> torch.nn.Module:
    config = T5Config(
        vocab_size=32128,
        d_model=4096,
        d_kv=64,
        d_ff=10240,
        num_layers=24,
        num_heads=64,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def clip(**sizes: int) -> torch.nn.Module:
    return CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=49408, **sizes))


def vae() -> torch.nn.Module:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=16,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


BUILDERS: dict[str, Callable[[], torch.nn.Module]] = {
    "transformer": transformer,
    "text_encoder": lambda: clip(
        hidden_size=768, intermediate_size=3072, projection_dim=768, num_hidden_layers=12, num_attention_heads=12
    ),
    "text_encoder_2": lambda: clip(
        hidden_size=1280, intermediate_size=5120, projection_dim=1280, num_hidden_layers=32, num_attention_heads=20
    ),
    "text_encoder_3": t5_xxl,
    "vae": vae,
}


@pytest.mark.parametrize("component", BUILDERS)
def test_the_record_counts_the_parameters_of_sd35_medium(component: str) -> None:
    with torch.device("meta"):
        model = BUILDERS[component]()
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == pytest.approx(Registry.read().find(SD35).parameters[component], rel=0.01)


def test_an_sd35_shaped_pipeline_goes_end_to_end_with_its_own_record(
    run: Callable[..., Run], sd35: ModelRecord
) -> None:
    registered = Registry.read().find(SD35)
    differing = {name for name in ModelRecord.model_fields if getattr(sd35, name) != getattr(registered, name)}
    assert differing == {"source", "size"}
    [picture] = run(record=sd35, num_inference_steps=None, prompt="a red house").pictures
    assert picture.recipe.num_inference_steps == 40
    assert picture.recipe.dtype == "bfloat16"
    assert picture.recipe.arguments == {"max_sequence_length": 256}


@pytest.mark.parametrize("name", ["demo", "sd35"])
def test_tiny_checkpoints_load_plainly(name: str, request: pytest.FixtureRequest) -> None:
    record: Any = request.getfixturevalue(name)
    pipeline = StableDiffusion3Pipeline.from_pretrained(record.local, dtype=torch.float32)
    assert pipeline.text_encoder_3 is not None
    if name == "sd35":
        assert pipeline.transformer.config.dual_attention_layers == [0, 1]
        assert pipeline.vae.config.latent_channels == 16
