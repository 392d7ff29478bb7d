"""A checkpoint that is large enough to measure memory and time with; not for tests."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import T5Config, T5EncoderModel

from tests.checkpoints.parts import clip_encoder, kl_vae, save, seeded
from tests.checkpoints.tokenizers import clip_tokenizer, t5_tokenizer

_WIDTH, _HEADS = 1024, 16
_T5_INNER = 2816
_IN_A_BLOCK = 36 * _WIDTH**2
"""Numbers in a block of the transformer: 12 matrices of modulation, 8 of attention, 16 of the two feed-forwards.
The last block has fewer."""
_IN_A_T5_LAYER = _WIDTH * (4 * _WIDTH + 3 * _T5_INNER)


def big_checkpoint(folder: Path, parameters: int = 300_000_000, seed: int = 0) -> Path:
    """A pipeline shaped like Stable Diffusion 3.5 Medium with at least that many random parameters, half of them in
    the transformer and half in T5, in bfloat16: 2 bytes each on the disk, 4 in memory while it is made."""
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    with seeded(seed):
        pipeline = StableDiffusion3Pipeline(
            transformer=_transformer(layers=1 + ceil(parameters / 2 / _IN_A_BLOCK)),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=kl_vae(16, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
            text_encoder=clip_encoder(clip),
            tokenizer=clip,
            text_encoder_2=clip_encoder(clip),
            tokenizer_2=clip,
            text_encoder_3=_t5(len(t5), layers=ceil(parameters / 2 / _IN_A_T5_LAYER)),
            tokenizer_3=t5,
        )
    return save(pipeline, folder, torch.bfloat16)


def _transformer(layers: int) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        sample_size=64,
        in_channels=16,
        out_channels=16,
        num_layers=layers,
        num_attention_heads=_HEADS,
        attention_head_dim=_WIDTH // _HEADS,
        joint_attention_dim=_WIDTH,
        caption_projection_dim=_WIDTH,
        pooled_projection_dim=64,
        qk_norm="rms_norm",
        pos_embed_max_size=64,
    )


def _t5(words: int, layers: int) -> T5EncoderModel:
    config = T5Config(
        vocab_size=words,
        d_model=_WIDTH,
        d_kv=_WIDTH // _HEADS,
        d_ff=_T5_INNER,
        num_layers=layers,
        num_heads=_HEADS,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)
