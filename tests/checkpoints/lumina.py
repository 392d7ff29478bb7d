"""A tiny Lumina-Next."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, LuminaNextDiT2DModel, LuminaPipeline
from transformers import GemmaConfig, GemmaModel, GemmaTokenizer

from tests.checkpoints.parts import kl_vae, save, seeded
from tests.checkpoints.tokenizers import gemma_tokenizer

GEMMA_WIDTH = 64


def lumina_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Lumina-Next-SFT, in bfloat16; about 2 MB."""
    tokenizer = gemma_tokenizer()
    with seeded(seed):
        pipeline = LuminaPipeline(
            transformer=_transformer(),
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=kl_vae(sample_size=1024, scaling_factor=0.13025),
            text_encoder=_gemma(tokenizer),
            tokenizer=tokenizer,
        )
    return save(
        pipeline,
        folder,
        torch.bfloat16,
        _class_name="LuminaText2ImgPipeline",
        tokenizer=["transformers", "GemmaTokenizerFast"],
    )


def _gemma(tokenizer: GemmaTokenizer) -> GemmaModel:
    config = GemmaConfig(
        vocab_size=len(tokenizer),
        hidden_size=GEMMA_WIDTH,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
    )
    return GemmaModel(config)


def _transformer() -> LuminaNextDiT2DModel:
    transformer = LuminaNextDiT2DModel(
        sample_size=8,
        hidden_size=64,
        num_layers=2,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=64,
        cross_attention_dim=GEMMA_WIDTH,
    )
    # The class leaves these to training: an empty tensor, and gates that shut the prompt out.
    torch.nn.init.normal_(transformer.pad_token, std=0.02)
    for layer in transformer.layers:
        torch.nn.init.normal_(layer.gate)
    return transformer
