"""A tiny Stable Cascade: a decoder and a prior, in a folder each."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    DDPMWuerstchenScheduler,
    StableCascadeDecoderPipeline,
    StableCascadePriorPipeline,
    StableCascadeUNet,
)
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.checkpoints.parts import clip_encoder, clip_image_config, save, seeded
from tests.checkpoints.tokenizers import clip_tokenizer

CLIP_WIDTH = 32
CONDITION = 64


def cascade_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Folders `decoder` and `prior` shaped like the two repositories of Stable Cascade, in bfloat16; about 5 MB."""
    tokenizer = clip_tokenizer()
    with seeded(seed):
        decoder = StableCascadeDecoderPipeline(
            decoder=_decoder(),
            tokenizer=tokenizer,
            text_encoder=clip_encoder(tokenizer),
            scheduler=DDPMWuerstchenScheduler(),
            vqgan=PaellaVQModel(bottleneck_blocks=1, embed_dim=16, num_vq_embeddings=16),
        )
        prior = StableCascadePriorPipeline(
            tokenizer=tokenizer,
            text_encoder=clip_encoder(tokenizer),
            prior=_prior(),
            scheduler=DDPMWuerstchenScheduler(),
            feature_extractor=CLIPImageProcessor(),
            image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**clip_image_config())),
        )
    # Published while diffusers had this class in a pipeline's folder.
    save(decoder, folder / "decoder", torch.bfloat16, vqgan=["wuerstchen", "PaellaVQModel"])
    save(prior, folder / "prior", torch.bfloat16)
    return folder


def _prior() -> StableCascadeUNet:
    return StableCascadeUNet(
        in_channels=16,
        out_channels=16,
        conditioning_dim=CONDITION,
        block_out_channels=(CONDITION, CONDITION),
        num_attention_heads=(2, 2),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        clip_image_in_channels=CLIP_WIDTH,
        clip_text_in_channels=CLIP_WIDTH,
        clip_text_pooled_in_channels=CLIP_WIDTH,
        switch_level=(False,),
    )


def _decoder() -> StableCascadeUNet:
    plain = ("SDCascadeResBlock", "SDCascadeTimestepBlock")
    attentive = (*plain, "SDCascadeAttnBlock")
    return StableCascadeUNet(
        in_channels=4,
        out_channels=4,
        patch_size=2,
        conditioning_dim=CONDITION,
        block_out_channels=(16, 32, 64, 64),
        num_attention_heads=(-1, -1, 2, 2),
        down_num_layers_per_block=(1, 1, 1, 1),
        up_num_layers_per_block=(1, 1, 1, 1),
        down_blocks_repeat_mappers=(1, 1, 1, 1),
        up_blocks_repeat_mappers=(1, 1, 1, 1),
        block_types_per_layer=(plain, plain, attentive, attentive),
        clip_text_pooled_in_channels=CLIP_WIDTH,
        effnet_in_channels=16,
        dropout=(0.0, 0.0, 0.1, 0.1),
        self_attn=True,
    )
