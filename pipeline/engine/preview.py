"""Live previews: latents turned into a small picture by one matrix instead of the VAE's decoder.

The idea is the community's “latent2rgb” factors (first shown by Kevin Turner for Stable Diffusion 1, today in ComfyUI
and InvokeAI as constants for each model): a latent pixel's channels are nearly a linear code of its average colour.
Here the matrix is not copied but fitted, by least squares, from the model's own VAE: it encodes a colour chart, and the
chart's average colours are what the matrix must give back. So every model with such a VAE has previews.

For rectified flow the picture shown is the expected end, not the noisy middle. A step is
`x' = x + (σ' − σ)·v`, so two neighbouring latents give the velocity `v`, and `x' − σ'·v` is the model's estimate of the
finished latents.
"""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

MAX_SIDE = 256
"""Longest side of a preview, in pixels."""
SHARE = 0.02
"""Share of the generation's time that previews may take."""
PAUSE = 0.1
"""Seconds, at least, between two previews; more often nobody looks."""
_CHART = 256


@dataclass(frozen=True, slots=True)
class Projection:
    """The linear map from latents to colour: `matrix` has a row for each channel and one for the constant."""

    matrix: torch.Tensor
    """Shape (channels + 1, 3), float32, on the CPU."""

    def jpeg(self, latents: torch.Tensor) -> bytes:
        """A JPEG of `latents`, shape (channels, height, width), at most `MAX_SIDE` pixels a side."""
        channels, height, width = latents.shape
        flat = latents.float().cpu().reshape(channels, -1).T
        colours = flat @ self.matrix[:-1] + self.matrix[-1]
        pixels = colours.nan_to_num(0.5).clamp(0, 1).mul(255).round().byte().reshape(height, width, 3)
        image = Image.fromarray(pixels.numpy())
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80)
        return buffer.getvalue()


class Previewer:
    """Previews of one picture: each is followed by a pause, of which the time it took is at most `SHARE`.

    A flow's first step gives none: its latents are nearly noise, and an estimate takes two.
    """

    def __init__(self, projection: Projection, scheduler: Any) -> None:
        self._projection = projection
        self._flow = scheduler if isinstance(scheduler, FlowMatchEulerDiscreteScheduler) else None
        self._last: torch.Tensor | None = None
        self._next = perf_counter()

    def after(self, step: int, latents: torch.Tensor) -> bytes | None:
        """A JPEG after step `step` (from 0) left `latents` (1, channels, height, width); None when time forbids."""
        if latents.ndim != 4 or latents.shape[1] != len(self._projection.matrix) - 1:
            return None
        previous, self._last = self._last, latents
        now = perf_counter()
        noise = self._flow is not None and previous is None
        if noise or now < self._next:
            return None
        jpeg = self._projection.jpeg(self._estimate(step, previous, latents)[0])
        done = perf_counter()
        self._next = done + max(PAUSE, (done - now) / SHARE)
        return jpeg

    def _estimate(self, step: int, previous: torch.Tensor | None, latents: torch.Tensor) -> torch.Tensor:
        if self._flow is None or previous is None:
            return latents
        before, after = (float(sigma) for sigma in self._flow.sigmas[step : step + 2])
        if before == after:
            return latents
        return latents - after * (latents - previous) / (after - before)


def projection_for(pipeline: Any, device: str, revision: str, cache: Path) -> Projection | None:
    """The projection of a pipeline's VAE: from `cache`, or fitted on `device` and kept; None for other kinds of VAE."""
    vae = getattr(pipeline, "vae", None)
    if not isinstance(vae, AutoencoderKL):
        return None
    key = hashlib.sha256(f"{vae.to_json_string()}{revision}".encode()).hexdigest()[:24]
    file = cache / f"{key}.safetensors"
    with suppress(OSError, SafetensorError, KeyError):
        return Projection(load_file(file)["matrix"])
    projection: Projection = fit(vae, torch.device(device))
    pipeline.maybe_free_model_hooks()
    with suppress(OSError):
        _keep(projection, file)
    return projection


def fit(vae: AutoencoderKL, device: torch.device) -> Projection:
    """Fit the projection: encode a colour chart, and solve for the matrix that gives its colours back."""
    chart = colour_chart()
    with torch.no_grad():
        latents = vae.encode((chart * 2 - 1).to(device, vae.dtype)).latent_dist.mode().float().cpu()
    latents = (latents - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor
    colours = F.adaptive_avg_pool2d(chart, latents.shape[-2:])
    flat = latents[0].flatten(1).T
    known = torch.cat([flat, torch.ones(len(flat), 1)], dim=1)
    return Projection(torch.linalg.lstsq(known, colours[0].flatten(1).T).solution.contiguous())


def colour_chart() -> torch.Tensor:
    """Shape (1, 3, 256, 256), values 0 to 1: flat patches in the upper half, blends between them in the lower."""
    draw = torch.Generator().manual_seed(0)
    patches = torch.rand(1, 3, 8, 16, generator=draw)
    flat = F.interpolate(patches[:, :, :4], size=(_CHART // 2, _CHART), mode="nearest")
    blends = F.interpolate(patches[:, :, 4:], size=(_CHART // 2, _CHART), mode="bilinear")
    return torch.cat([flat, blends], dim=2)


def _keep(projection: Projection, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    save_file({"matrix": projection.matrix}, temporary)
    temporary.replace(file)
