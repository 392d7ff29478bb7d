"""Weight files of a few bytes that have the names and shapes of real ones, written without torch."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

Shapes = dict[str, tuple[int, ...]]

UNET = "model.diffusion_model."
SD15: Shapes = {
    f"{UNET}input_blocks.0.0.weight": (2, 4, 3, 3),
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (2, 768),
    "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": (2, 768),
    "first_stage_model.encoder.conv_in.weight": (2, 3, 3, 3),
}
SDXL: Shapes = {
    f"{UNET}input_blocks.0.0.weight": (2, 4, 3, 3),
    "conditioner.embedders.0.transformer.text_model.x": (2, 768),
    "conditioner.embedders.1.model.positional_embedding": (2, 1280),
    "first_stage_model.encoder.conv_in.weight": (2, 3, 3, 3),
}
FLUX: Shapes = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "guidance_in.in_layer.bias": (8,),
}
LORA_SD15: Shapes = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768)}
LORA_SDXL: Shapes = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 2048)}
VAE4: Shapes = {"encoder.conv_in.weight": (2, 3, 3, 3), "decoder.conv_in.weight": (2, 4, 3, 3)}
VAE16: Shapes = {"encoder.conv_in.weight": (2, 3, 3, 3), "decoder.conv_in.weight": (2, 16, 3, 3)}
COMPACT: Shapes = {
    "body.0.weight": (4, 3, 3, 3),
    "body.0.bias": (4,),
    "body.1.weight": (4,),
    "body.2.weight": (4, 4, 3, 3),
    "body.2.bias": (4,),
    "body.3.weight": (4,),
    "body.4.weight": (12, 4, 3, 3),
    "body.4.bias": (12,),
}
"""An upscaler that doubles."""


def write(path: Path, shapes: Shapes, **metadata: str) -> Path:
    """A safetensors file with zeros in float16."""
    entries: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path
