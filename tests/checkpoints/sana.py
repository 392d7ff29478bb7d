"""A tiny Sana."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

from tests.checkpoints.parts import save, seeded
from tests.checkpoints.tokenizers import gemma_tokenizer

GEMMA_WIDTH = 64


def sana_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like Sana_600M_512px, in bfloat16, with its 33 sizes around 512 × 512; about 2 MB."""
    tokenizer = gemma_tokenizer(padding_side="right")
    with seeded(seed):
        pipeline = SanaPipeline(
            tokenizer=tokenizer,
            text_encoder=_gemma(tokenizer),
            vae=_vae(),
            transformer=_transformer(),
            scheduler=DPMSolverMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
        )
    return save(pipeline, folder, torch.bfloat16, tokenizer=["transformers", "GemmaTokenizerFast"])


def _gemma(tokenizer: GemmaTokenizer) -> Gemma2Model:
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=GEMMA_WIDTH,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
    )
    return Gemma2Model(config)


def _vae() -> AutoencoderDC:
    plain, attentive = "ResBlock", "EfficientViTBlock"
    channels, layers = (8, 8, 8, 16, 32, 32), (1,) * 6
    return AutoencoderDC(
        attention_head_dim=16,
        encoder_block_types=(plain,) * 3 + (attentive,) * 3,
        decoder_block_types=(plain,) * 3 + (attentive,) * 3,
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        encoder_layers_per_block=layers,
        decoder_layers_per_block=layers,
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
        scaling_factor=0.41407,
    )


def _transformer() -> SanaTransformer2DModel:
    return SanaTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=32,
        num_layers=2,
        num_cross_attention_heads=1,
        cross_attention_head_dim=64,
        cross_attention_dim=64,
        caption_channels=GEMMA_WIDTH,
        sample_size=16,
    )
