"""Tiny checkpoints with random weights: real classes, real tokenizers and real files, made in a second or two.

    demo_checkpoint(folder)     shaped like the demo: 4 latent channels, 4 pixels a latent, 32 tokens of prompt
    sd35_checkpoint(folder)     shaped like Stable Diffusion 3.5 Medium: its components and configuration, less width
    record_for(folder, ...)     a registry record that points at such a folder

Both load with plain `StableDiffusion3Pipeline.from_pretrained(folder)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from pipeline.models.registry import ModelRecord, Registry

SD35 = "stabilityai/stable-diffusion-3.5-medium"


def record_for(folder: Path, like: str = "demo", **changes: Any) -> ModelRecord:
    """The registry's record of `like` with `folder` as its source, 64 × 64 pixels, and `changes` applied."""
    base = Registry.read().find(like).model_dump()
    size = {"native": (64, 64), "multiple": 16, "min": 64, "max": 256}
    return ModelRecord.model_validate(base | {"source": str(folder), "size": size} | changes)


def demo_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like the demo, in float32; about 3 MB."""
    return _save(folder, seed, torch.float32, prompt_tokens=32, vae=_demo_vae, transformer=_demo_transformer)


def sd35_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Stable Diffusion 3.5 Medium, in bfloat16; about 3 MB."""
    return _save(folder, seed, torch.bfloat16, prompt_tokens=77, vae=_sd35_vae, transformer=_sd35_transformer)


def clip_tokenizer(max_length: int = 77) -> CLIPTokenizer:
    """CLIP's own tokenizer with a vocabulary of bytes only: every letter is a token."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=max_length)


def t5_tokenizer(max_length: int = 512) -> T5Tokenizer:
    """T5's own tokenizer with a vocabulary of printable characters only."""
    characters = [(chr(code), -4.0) for code in range(33, 127)]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *characters]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=max_length)


def _save(folder: Path, seed: int, dtype: torch.dtype, prompt_tokens: int, vae: Any, transformer: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clip, t5 = clip_tokenizer(prompt_tokens), t5_tokenizer()
        pipeline = StableDiffusion3Pipeline(
            transformer=transformer(),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=vae(),
            text_encoder=_clip_encoder(clip),
            tokenizer=clip,
            text_encoder_2=_clip_encoder(clip),
            tokenizer_2=clip,
            text_encoder_3=_t5_encoder(t5),
            tokenizer_3=t5,
        )
    pipeline.to(dtype).save_pretrained(folder)
    return folder


def _clip_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModelWithProjection:
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


def _t5_encoder(tokenizer: T5Tokenizer) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def _demo_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        latent_channels=4,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=0.4,
        shift_factor=-0.03,
    )


def _sd35_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 16, 16),
        norm_num_groups=8,
        layers_per_block=1,
        latent_channels=16,
        sample_size=1024,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.5305,
        shift_factor=0.0609,
    )


def _demo_transformer() -> SD3Transformer2DModel:
    return _transformer(channels=4, layers=2, sample_size=16, qk_norm="rms_norm", pos_embed_max_size=32)


def _sd35_transformer() -> SD3Transformer2DModel:
    return _transformer(
        channels=16,
        layers=3,
        sample_size=8,
        qk_norm="rms_norm",
        pos_embed_max_size=24,
        dual_attention_layers=(0, 1),
    )


def _transformer(channels: int, layers: int, **config: Any) -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        in_channels=channels,
        out_channels=channels,
        patch_size=2,
        num_layers=layers,
        num_attention_heads=4,
        attention_head_dim=32,
        joint_attention_dim=128,
        caption_projection_dim=128,
        pooled_projection_dim=64,
        **config,
    )
