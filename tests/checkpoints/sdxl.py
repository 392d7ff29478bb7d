"""Tiny Stable Diffusion XL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from tests.checkpoints.parts import clip_encoder, clip_text_model, kl_vae, save, seeded
from tests.checkpoints.stable_diffusion import BETAS, CLIP_WIDTH
from tests.checkpoints.tokenizers import clip_tokenizer


def sdxl_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Stable Diffusion XL, in float32; about 4 MB."""
    return _checkpoint(folder, seed, EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1))


def sdxl_turbo_checkpoint(folder: Path, seed: int = 0) -> Path:
    """The same with the scheduler of SDXL-Turbo, which adds noise at every step."""
    return _checkpoint(folder, seed, EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="trailing"))


def _checkpoint(folder: Path, seed: int, scheduler: Any) -> Path:
    tokenizer = clip_tokenizer()
    with seeded(seed):
        pipeline = StableDiffusionXLPipeline(
            vae=kl_vae(sample_size=1024, scaling_factor=0.13025, force_upcast=True),
            text_encoder=clip_text_model(tokenizer),
            text_encoder_2=clip_encoder(tokenizer),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=_unet(),
            scheduler=scheduler,
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
    return save(pipeline, folder, torch.float32)


def _unet() -> UNet2DConditionModel:
    times, time_width = 6, 8
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        cross_attention_dim=2 * CLIP_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=time_width,
        projection_class_embeddings_input_dim=times * time_width + CLIP_WIDTH,
    )
