"""A tiny Kandinsky 2.2: a decoder and a prior, in a folder each."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    DDPMScheduler,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.checkpoints.parts import clip_encoder, clip_image_config, save, seeded
from tests.checkpoints.tokenizers import clip_tokenizer

CLIP_WIDTH = 32


def kandinsky22_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Folders `decoder` and `prior` shaped like the two repositories of Kandinsky 2.2, in float32; about 5 MB."""
    with seeded(seed):
        decoder = KandinskyV22Pipeline(unet=_unet(), scheduler=_scheduler(), movq=_movq())
        prior = _prior()
    save(decoder, folder / "decoder", torch.float32)
    save(prior, folder / "prior", torch.float32)
    return folder


def _prior() -> KandinskyV22PriorPipeline:
    tokenizer = clip_tokenizer()
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=16, num_layers=2, embedding_dim=CLIP_WIDTH, clip_embed_dim=None
    )
    # The class leaves these to training: with zeros every prompt would give the same embedding, nothing.
    torch.nn.init.normal_(prior.clip_mean)
    torch.nn.init.ones_(prior.clip_std)
    return KandinskyV22PriorPipeline(
        prior=prior,
        image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**clip_image_config())),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=5.0
        ),
        image_processor=CLIPImageProcessor(),
    )


def _scheduler() -> DDPMScheduler:
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="linear",
        variance_type="learned_range",
        clip_sample=False,
        thresholding=True,
        sample_max_value=2.0,
    )


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=8,
        addition_embed_type="image",
        encoder_hid_dim_type="image_proj",
        encoder_hid_dim=CLIP_WIDTH,
        cross_attention_dim=32,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        resnet_time_scale_shift="scale_shift",
    )


def _movq() -> VQModel:
    return VQModel(
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=32,
        norm_type="spatial",
        num_vq_embeddings=16,
        vq_embed_dim=4,
    )
