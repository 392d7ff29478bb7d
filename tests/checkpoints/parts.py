"""What several of the tiny checkpoints are made of, and how they are saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

T5_WIDTH = 128


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights that depend on `seed` alone, and leave the random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def save(pipeline: DiffusionPipeline, folder: Path, dtype: torch.dtype, **published: str | list[str]) -> Path:
    """Save a pipeline in `dtype`. `published` are entries of `model_index.json` as the published checkpoint has them,
    where today's libraries would write another name; they still read the old one."""
    pipeline.to(dtype).save_pretrained(folder)
    edit_json(folder / "model_index.json", **published)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))


def clip_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
    """32 numbers a token."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config)


def clip_text_model(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The same without the projection."""
    return CLIPTextModel(clip_encoder(tokenizer).config)


def clip_image_config() -> dict[str, int]:
    """Configuration of a CLIP image encoder for pictures of 224 × 224 pixels."""
    return {
        "hidden_size": 64,
        "intermediate_size": 256,
        "projection_dim": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 224,
        "patch_size": 28,
    }


def t5_encoder(tokenizer: T5Tokenizer) -> T5EncoderModel:
    """`T5_WIDTH` numbers a token; T5 1.1 and mT5 alike."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=T5_WIDTH,
        d_kv=32,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def kl_vae(latent_channels: int = 4, **config: Any) -> AutoencoderKL:
    """8 pixels a latent; `config` is what the published VAE has."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=config.pop("block_out_channels", (8, 8, 16, 16)),
        norm_num_groups=4,
        layers_per_block=1,
        latent_channels=latent_channels,
        **config,
    )


def cogview_vae(scaling_factor: float) -> AutoencoderKL:
    """The VAE of CogView3-Plus and CogView4."""
    return kl_vae(
        16,
        sample_size=1024,
        scaling_factor=scaling_factor,
        force_upcast=True,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )
