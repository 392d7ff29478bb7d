"""A tiny UniDiffuser."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, UniDiffuserModel, UniDiffuserPipeline, UniDiffuserTextDecoder
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.checkpoints.parts import clip_image_config, clip_text_model, kl_vae, save, seeded
from tests.checkpoints.stable_diffusion import BETAS, CLIP_WIDTH
from tests.checkpoints.tokenizers import clip_tokenizer, gpt2_tokenizer

TEXT_WIDTH = 16


def unidiffuser_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A pipeline shaped like UniDiffuser v1, in float32, for 64 × 64 pixels only; about 3 MB."""
    clip, gpt2 = clip_tokenizer(), gpt2_tokenizer()
    vision = clip_image_config()
    with seeded(seed):
        pipeline = UniDiffuserPipeline(
            vae=kl_vae(sample_size=512, scaling_factor=0.18215),
            text_encoder=clip_text_model(clip),
            image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**vision)),
            clip_image_processor=CLIPImageProcessor(),
            clip_tokenizer=clip,
            text_decoder=_text_decoder(len(gpt2)),
            text_tokenizer=gpt2,
            unet=_unet(vision["projection_dim"]),
            scheduler=DPMSolverMultistepScheduler(**BETAS),
        )
    # Published while diffusers had these classes in the pipeline's folder.
    return save(
        pipeline,
        folder,
        torch.float32,
        unet=["unidiffuser", "UniDiffuserModel"],
        text_decoder=["unidiffuser", "UniDiffuserTextDecoder"],
    )


def _text_decoder(vocabulary: int) -> UniDiffuserTextDecoder:
    decoder = UniDiffuserTextDecoder(
        prefix_length=77,
        prefix_inner_dim=CLIP_WIDTH,
        prefix_hidden_dim=TEXT_WIDTH,
        vocab_size=vocabulary,
        n_positions=128,
        n_embd=32,
        n_layer=1,
        n_head=2,
    )
    # GPT-2 shares these weights, and safetensors stores none twice.
    head = decoder.transformer.lm_head
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    return decoder


def _unet(clip_image_width: int) -> UniDiffuserModel:
    return UniDiffuserModel(
        text_dim=TEXT_WIDTH,
        clip_img_dim=clip_image_width,
        num_text_tokens=77,
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=4,
        out_channels=4,
        num_layers=3,
        sample_size=8,
        patch_size=2,
        norm_num_groups=4,
        use_data_type_embedding=True,
    )
