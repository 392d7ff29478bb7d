"""Tiny ControlNets with random weights, made in a moment from the UNet or transformer of a tiny checkpoint."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    ControlNetModel,
    FluxControlNetModel,
    FluxTransformer2DModel,
    HunyuanDiT2DControlNetModel,
    HunyuanDiT2DModel,
    QwenImageControlNetModel,
    QwenImageTransformer2DModel,
    SanaControlNetModel,
    SanaTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)

from tests.checkpoints.parts import seeded

HINT = (4, 4, 8, 8)
"""Widths of the layers that bring a map to the size of the latents; each but the first halves it."""


def controlnet(family: str, checkpoint: Path, folder: Path, seed: int = 0) -> Path:
    """A net for the checkpoint in that folder, saved in `folder` in float32. Its outputs are not zero, as those of a
    new net would be."""
    with seeded(seed):
        net = _MAKERS[family](checkpoint)
        for parameter in net.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
    net.save_pretrained(folder)
    return folder


def _of_unet(checkpoint: Path) -> Any:
    unet = UNet2DConditionModel.from_pretrained(checkpoint, subfolder="unet", dtype=torch.float32)
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT)


def _sd3(checkpoint: Path) -> Any:
    return _alike(SD3ControlNetModel, SD3Transformer2DModel, checkpoint, num_layers=1)


def _sana(checkpoint: Path) -> Any:
    return _alike(SanaControlNetModel, SanaTransformer2DModel, checkpoint, num_layers=1)


def _alike(net: Any, transformer: Any, checkpoint: Path, **changes: Any) -> Any:
    """A net with what its configuration has in common with the transformer's."""
    config = transformer.load_config(checkpoint, subfolder="transformer")
    known = set(inspect.signature(net).parameters)
    return net(**{name: value for name, value in config.items() if name in known} | changes)


def _flux(checkpoint: Path) -> Any:
    base = FluxTransformer2DModel.from_pretrained(checkpoint, subfolder="transformer", dtype=torch.float32)
    return FluxControlNetModel.from_transformer(base, num_layers=1, num_single_layers=1, **_heads(base))


def _qwen(checkpoint: Path) -> Any:
    base = QwenImageTransformer2DModel.from_pretrained(checkpoint, subfolder="transformer", dtype=torch.float32)
    return QwenImageControlNetModel.from_transformer(base, num_layers=1, **_heads(base))


def _heads(base: Any) -> dict[str, int]:
    return {name: base.config[name] for name in ("attention_head_dim", "num_attention_heads")}


def _hunyuan(checkpoint: Path) -> Any:
    return _alike(HunyuanDiT2DControlNetModel, HunyuanDiT2DModel, checkpoint, transformer_num_layers=4)


_MAKERS: dict[str, Callable[[Path], Any]] = {
    "sd15": _of_unet,
    "sd21": _of_unet,
    "sdxl": _of_unet,
    "sd3": _sd3,
    "flux": _flux,
    "hunyuan": _hunyuan,
    "sana": _sana,
    "qwen": _qwen,
}
