"""A tiny FLUX.1."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

from tests.checkpoints.parts import T5_WIDTH, clip_text_model, kl_vae, save, seeded, t5_encoder
from tests.checkpoints.stable_diffusion import CLIP_WIDTH
from tests.checkpoints.tokenizers import clip_tokenizer, t5_tokenizer


def flux_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like FLUX.1 [dev], in bfloat16, with guidance embedded; about 4 MB."""
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    with seeded(seed):
        pipeline = FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(
                shift=3.0,
                use_dynamic_shifting=True,
                base_shift=0.5,
                max_shift=1.15,
                base_image_seq_len=256,
                max_image_seq_len=4096,
            ),
            vae=kl_vae(
                16,
                sample_size=1024,
                scaling_factor=0.3611,
                shift_factor=0.1159,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            text_encoder=clip_text_model(clip),
            tokenizer=clip,
            text_encoder_2=t5_encoder(t5),
            tokenizer_2=t5,
            transformer=_transformer(),
        )
    return save(pipeline, folder, torch.bfloat16, tokenizer_2=["transformers", "T5TokenizerFast"])


def _transformer() -> FluxTransformer2DModel:
    return FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=32,
        num_attention_heads=2,
        joint_attention_dim=T5_WIDTH,
        pooled_projection_dim=CLIP_WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(4, 14, 14),
    )
