"""Tiny segmentation models with random weights, of the two kinds that the studio knows: SAM and SAM 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoMaskDecoderConfig,
    Sam2VideoModel,
    Sam2VideoPromptEncoderConfig,
    Sam2VisionConfig,
    SamConfig,
    SamMaskDecoderConfig,
    SamModel,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from tests.checkpoints.parts import seeded

SIDE = 64
"""Pixels of the square that the models see; the published ones see 1024."""
_WIDTH, _HIDDEN = 32, 64
_DECODER: dict[str, Any] = {
    "hidden_size": _WIDTH,
    "mlp_dim": _HIDDEN,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": _WIDTH,
}
_SPREAD = 0.2
"""Of the random weights: large enough that masks differ by more than rounding."""


def sam_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A SAM saved in `folder` in float32, as `facebook/sam-vit-base` is."""
    config = SamConfig(
        vision_config=SamVisionConfig(
            hidden_size=16,
            output_channels=_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=SIDE,
            patch_size=8,
            window_size=4,
            global_attn_indexes=[1],
            num_pos_feats=_WIDTH // 2,
        ),
        prompt_encoder_config=SamPromptEncoderConfig(hidden_size=_WIDTH, image_size=SIDE, patch_size=8),
        mask_decoder_config=SamMaskDecoderConfig(**_DECODER),
        initializer_range=_SPREAD,
    )
    with seeded(seed):
        SamModel(config).save_pretrained(folder)
    return folder


def sam2_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A SAM 2 saved in `folder` in float32, as `facebook/sam2.1-hiera-tiny` is: with what it needs for videos too."""
    eyes = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 2, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 2],
        window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[2],
    )
    vision = Sam2VisionConfig(
        backbone_config=eyes,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=_WIDTH,
    )
    prompt = Sam2VideoPromptEncoderConfig(hidden_size=_WIDTH, image_size=SIDE, patch_size=16)
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=Sam2VideoMaskDecoderConfig(**_DECODER),
        image_size=SIDE,
        initializer_range=_SPREAD,
        **_memory(),
    )
    with seeded(seed):
        Sam2VideoModel(config).save_pretrained(folder)
    return folder


def _memory() -> dict[str, Any]:
    """The parts that remember the frames before, small."""
    return {
        "memory_attention_hidden_size": _WIDTH,
        "memory_attention_feed_forward_hidden_size": _HIDDEN,
        "memory_attention_num_layers": 1,
        "memory_attention_rope_feat_sizes": [4, 4],
        "memory_encoder_hidden_size": _WIDTH,
        "memory_encoder_output_channels": 16,
        "mask_downsampler_embed_dim": _WIDTH,
        "memory_fuser_embed_dim": _WIDTH,
        "memory_fuser_intermediate_dim": _HIDDEN,
        "memory_fuser_num_layers": 1,
    }
