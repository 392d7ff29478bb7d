"""Tiny pipelines of Stable Diffusion 3's family. They load with plain `StableDiffusion3Pipeline.from_pretrained`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

from tests.checkpoints.parts import clip_encoder, save, seeded, t5_encoder
from tests.checkpoints.tokenizers import clip_tokenizer, t5_tokenizer


def demo_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like the demo, in float32; about 3 MB."""
    return _save(folder, seed, torch.float32, prompt_tokens=32, vae=demo_vae, transformer=_demo_transformer)


def sd35_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Stable Diffusion 3.5 Medium, in bfloat16; about 3 MB."""
    return _save(folder, seed, torch.bfloat16, prompt_tokens=77, vae=_sd35_vae, transformer=_sd35_transformer)


def _save(folder: Path, seed: int, dtype: torch.dtype, prompt_tokens: int, vae: Any, transformer: Any) -> Path:
    with seeded(seed):
        clip, t5 = clip_tokenizer(prompt_tokens), t5_tokenizer()
        pipeline = StableDiffusion3Pipeline(
            transformer=transformer(),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=vae(),
            text_encoder=clip_encoder(clip),
            tokenizer=clip,
            text_encoder_2=clip_encoder(clip),
            tokenizer_2=clip,
            text_encoder_3=t5_encoder(t5),
            tokenizer_3=t5,
        )
    return save(pipeline, folder, dtype)


def demo_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        latent_channels=4,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.4,
        shift_factor=-0.03,
    )


def _sd35_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 16, 16),
        norm_num_groups=8,
        layers_per_block=1,
        latent_channels=16,
        sample_size=1024,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.5305,
        shift_factor=0.0609,
    )


def _demo_transformer() -> SD3Transformer2DModel:
    return _transformer(channels=4, layers=2, sample_size=16, qk_norm="rms_norm", pos_embed_max_size=32)


def _sd35_transformer() -> SD3Transformer2DModel:
    return _transformer(
        channels=16,
        layers=3,
        sample_size=8,
        qk_norm="rms_norm",
        pos_embed_max_size=24,
        dual_attention_layers=(0, 1),
    )


def _transformer(channels: int, layers: int, **config: Any) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        in_channels=channels,
        out_channels=channels,
        patch_size=2,
        num_layers=layers,
        num_attention_heads=4,
        attention_head_dim=32,
        joint_attention_dim=128,
        caption_projection_dim=128,
        pooled_projection_dim=64,
        **config,
    )
