"""Tiny PixArt-α and PixArt-Σ."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, PixArtAlphaPipeline, PixArtSigmaPipeline, PixArtTransformer2DModel

from tests.checkpoints.parts import T5_WIDTH, edit_json, kl_vae, save, seeded, t5_encoder
from tests.checkpoints.tokenizers import keep_sentencepiece_only, t5_tokenizer


def pixart_alpha_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like PixArt-XL-2-512x512, in float32, with its 33 sizes around 512 × 512; about 4 MB."""
    return _checkpoint(PixArtAlphaPipeline, folder, seed, prompt_tokens=120, scaling_factor=0.18215)


def pixart_sigma_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like PixArt-Sigma-XL-2-512-MS, in float32, with its 33 sizes around 512 × 512; about 4 MB."""
    return _checkpoint(PixArtSigmaPipeline, folder, seed, prompt_tokens=300, scaling_factor=0.13025)


def _checkpoint(
    kind: type[PixArtAlphaPipeline | PixArtSigmaPipeline],
    folder: Path,
    seed: int,
    prompt_tokens: int,
    scaling_factor: float,
) -> Path:
    tokenizer = t5_tokenizer(prompt_tokens)
    with seeded(seed):
        pipeline = kind(
            tokenizer=tokenizer,
            text_encoder=t5_encoder(tokenizer),
            vae=kl_vae(sample_size=512, scaling_factor=scaling_factor),
            transformer=_transformer(),
            scheduler=DPMSolverMultistepScheduler(),
        )
    # Both were published before diffusers gave their transformer a class of its own.
    save(pipeline, folder, torch.float32, transformer=["diffusers", "Transformer2DModel"])
    edit_json(folder / "transformer" / "config.json", _class_name="Transformer2DModel")
    keep_sentencepiece_only(folder / "tokenizer")
    return folder


def _transformer() -> PixArtTransformer2DModel:
    return PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=32,
        num_layers=2,
        cross_attention_dim=64,
        sample_size=64,
        use_additional_conditions=False,
        caption_channels=T5_WIDTH,
    )
