"""Flux and Qwen-Image, whose transformers see four latent pixels as one token."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.engine.families.base import Family


class Packed(Family):
    """Latents are (1, tokens, 4 × channels): each token holds the 2 × 2 latents of one place.

    The steps that the pipelines for pictures run at a strength are rounded up.
    """

    def steps(self, of: int, strength: float) -> int:
        return of - int(of - of * strength)

    def latents(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        side = 2 * pipeline.vae_scale_factor
        rows, columns, channels = height // side, width // side, latents.shape[-1] // 4
        squares = latents.reshape(1, rows, columns, channels, 2, 2)
        return squares.permute(0, 3, 1, 4, 2, 5).reshape(1, channels, 2 * rows, 2 * columns)
