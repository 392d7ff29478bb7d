"""Tiny Stable Diffusion 1.5 and 2.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

from tests.checkpoints.parts import clip_image_config, clip_text_model, kl_vae, save, seeded
from tests.checkpoints.tokenizers import clip_tokenizer

CLIP_WIDTH = 32
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def sd15_checkpoint(folder: Path, seed: int = 0, *, strict: bool = False) -> Path:
    """A pipeline shaped like Stable Diffusion 1.5, in float32, with a safety checker; about 5 MB.

    The checker lets everything pass, and nothing when it is `strict`.
    """
    with seeded(seed):
        pipeline = StableDiffusionPipeline(
            **_shared(attention_head_dim=4),
            scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1),
            safety_checker=_safety_checker(strict),
            feature_extractor=CLIPImageProcessor(),
        )
    return save(pipeline, folder, torch.float32, feature_extractor=["transformers", "CLIPFeatureExtractor"])


def sd21_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Stable Diffusion 2.1, in float32: it predicts v; about 3 MB."""
    with seeded(seed):
        pipeline = StableDiffusionPipeline(
            **_shared(attention_head_dim=(2, 4), use_linear_projection=True),
            scheduler=DDIMScheduler(
                **BETAS, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    return save(pipeline, folder, torch.float32)


def _shared(**unet: Any) -> dict[str, Any]:
    tokenizer = clip_tokenizer()
    return {
        "vae": kl_vae(sample_size=512, scaling_factor=0.18215),
        "text_encoder": clip_text_model(tokenizer),
        "tokenizer": tokenizer,
        "unet": _unet(**unet),
    }


def _unet(**config: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=CLIP_WIDTH,
        **config,
    )


def _safety_checker(strict: bool) -> StableDiffusionSafetyChecker:
    """What it finds is the likeness to 17 concepts, less the likeness that each allows: ones as it is made."""
    vision = clip_image_config()
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=vision["projection_dim"]))
    if strict:
        checker.concept_embeds_weights.data.fill_(-2)
    return checker
