"""The diffusion transformer: a stock `SD3Transformer2DModel`, and the extra head it trains with.

The head reads the image tokens after the third block and predicts what each patch shows. The renderer
knows that exactly, so the task is free; it teaches the early blocks layout long before the flow loss
does (the idea of Yu et al. 2024, "Representation Alignment for Generation", with labels in place of a
pretrained encoder). It is dropped at export: the checkpoint holds only the stock model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from torch import Tensor, nn

from demo.autoencoder import LATENT_CHANNELS, LATENT_SIZE
from demo.painting import LABELS
from demo.scenes import COLOURS, STYLES, TIMES, WEATHERS
from demo.text import JOINT_DIM

PATCH = 4
LAYERS = 5
HEADS = 3
HEAD_AFTER = 3
"""The label head reads the image tokens after this block."""
IGNORE = -100


def build_transformer() -> SD3Transformer2DModel:
    """An untrained transformer, initialised as in Peebles and Xie (2023): every block starts as identity."""
    model = SD3Transformer2DModel(
        sample_size=LATENT_SIZE, patch_size=PATCH, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS,
        num_layers=LAYERS, attention_head_dim=64, num_attention_heads=HEADS, joint_attention_dim=JOINT_DIM,
        caption_projection_dim=64 * HEADS, pooled_projection_dim=JOINT_DIM, pos_embed_max_size=LATENT_SIZE // PATCH,
        qk_norm="rms_norm",
    )  # fmt: skip
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name in ("proj_out", "norm_out.linear") or name.endswith(("norm1.linear", "norm1_context.linear")):
                nn.init.zeros_(module.weight)
    return model


class TracedTransformer(nn.Module):
    """`SD3Transformer2DModel.forward`, which also returns the image tokens after block `HEAD_AFTER`."""

    def __init__(self, model: SD3Transformer2DModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, sample: Tensor, context: Tensor, pooled: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted velocity (N, 8, 32, 32) and middle tokens (N, 64, 192)."""
        model = self.model
        hidden = model.pos_embed(sample).contiguous()
        temb = model.time_text_embed(timestep, pooled)
        context = model.context_embedder(context)
        middle = hidden
        for index, block in enumerate(model.transformer_blocks, start=1):
            context, hidden = block(hidden_states=hidden, encoder_hidden_states=context, temb=temb)
            if index == HEAD_AFTER:
                middle = hidden
        hidden = model.proj_out(model.norm_out(hidden, temb))
        grid = LATENT_SIZE // PATCH
        hidden = hidden.reshape(-1, grid, grid, PATCH, PATCH, LATENT_CHANNELS)
        return torch.einsum("nhwpqc->nchpwq", hidden).reshape(sample.shape), middle


class LabelHead(nn.Module):
    """Predicts, per patch, the class of its four quarters, the thing's colour, and the air of the scene."""

    SIZES = (*([len(LABELS)] * 4), len(COLOURS), len(TIMES), len(WEATHERS), len(STYLES))

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(64 * HEADS), nn.Linear(64 * HEADS, 256), nn.GELU(), nn.Linear(256, sum(self.SIZES))
        )

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy against `patch_targets`."""
        logits = self.net(tokens).float().split(self.SIZES, dim=-1)
        losses = [
            F.cross_entropy(part.flatten(0, 1), targets[..., k].flatten(), ignore_index=IGNORE)
            for k, part in enumerate(logits)
        ]
        return torch.stack(losses).mean()


def patch_targets(labels: Tensor, colour: Tensor, time: Tensor, weather: Tensor, style: Tensor) -> Tensor:
    """Targets (N, 64, 8) for the head from 16 x 16 label maps and attribute indices (`IGNORE` for no colour).

    The colour is asked for only where the patch shows the thing.
    """
    quarters = F.unfold(labels[:, None].float(), kernel_size=2, stride=2).transpose(1, 2).long()
    shows_thing = (quarters >= LABELS.index("house")).any(dim=-1)
    colours = torch.where(shows_thing, colour[:, None], IGNORE)
    air = torch.stack([time, weather, style], dim=-1)[:, None].expand(-1, quarters.shape[1], -1)
    return torch.cat([quarters, colours[..., None], air], dim=-1)
