"""A tiny CogView3-Plus."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import CogVideoXDDIMScheduler, CogView3PlusPipeline, CogView3PlusTransformer2DModel

from tests.checkpoints.parts import T5_WIDTH, cogview_vae, save, seeded, t5_encoder
from tests.checkpoints.tokenizers import keep_sentencepiece_only, t5_tokenizer


def cogview3_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like CogView3-Plus-3B, in bfloat16, for sides of up to 256 pixels; about 2 MB."""
    tokenizer = t5_tokenizer(224)
    with seeded(seed):
        pipeline = CogView3PlusPipeline(
            tokenizer=tokenizer,
            text_encoder=t5_encoder(tokenizer),
            vae=cogview_vae(scaling_factor=0.18215),
            transformer=_transformer(),
            scheduler=_scheduler(),
        )
    save(pipeline, folder, torch.bfloat16)
    keep_sentencepiece_only(folder / "tokenizer")
    return folder


def _transformer() -> CogView3PlusTransformer2DModel:
    return CogView3PlusTransformer2DModel(
        num_layers=2,
        attention_head_dim=32,
        num_attention_heads=2,
        text_embed_dim=T5_WIDTH,
        time_embed_dim=64,
        condition_dim=32,
        pos_embed_max_size=16,
        sample_size=8,
    )


def _scheduler() -> CogVideoXDDIMScheduler:
    return CogVideoXDDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=True,
        snr_shift_scale=4.0,
        timestep_spacing="trailing",
    )
