"""A tiny CogView4."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import CogView4Pipeline, CogView4Transformer2DModel, FlowMatchEulerDiscreteScheduler
from transformers import GlmConfig, GlmModel, PreTrainedTokenizerFast

from tests.checkpoints.parts import cogview_vae, save, seeded
from tests.checkpoints.tokenizers import glm_tokenizer

GLM_WIDTH = 64


def cogview4_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like CogView4-6B, in bfloat16; about 2 MB."""
    tokenizer = glm_tokenizer()
    with seeded(seed):
        pipeline = CogView4Pipeline(
            tokenizer=tokenizer,
            text_encoder=_glm(tokenizer),
            vae=cogview_vae(scaling_factor=1.0),
            transformer=_transformer(),
            scheduler=FlowMatchEulerDiscreteScheduler(
                base_shift=0.25,
                max_shift=0.75,
                base_image_seq_len=256,
                use_dynamic_shifting=True,
                time_shift_type="linear",
            ),
        )
    return save(pipeline, folder, torch.bfloat16, tokenizer=["transformers", "PreTrainedTokenizerFast"])


def _glm(tokenizer: PreTrainedTokenizerFast) -> GlmModel:
    config = GlmConfig(
        vocab_size=len(tokenizer),
        hidden_size=GLM_WIDTH,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        attention_bias=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=[tokenizer.eos_token_id],
    )
    return GlmModel(config)


def _transformer() -> CogView4Transformer2DModel:
    return CogView4Transformer2DModel(
        num_layers=2,
        attention_head_dim=32,
        num_attention_heads=2,
        text_embed_dim=GLM_WIDTH,
        time_embed_dim=64,
        condition_dim=32,
        sample_size=8,
    )
