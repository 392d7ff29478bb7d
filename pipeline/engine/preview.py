"""Live previews: latents turned into a small picture by one matrix instead of the VAE's decoder.

The idea is the community's “latent2rgb” factors (first shown by Kevin Turner for Stable Diffusion 1, today in ComfyUI
and InvokeAI as constants for each model): a latent pixel's channels are nearly a linear code of its average colour.
Here the matrix is not copied but fitted, by least squares, from the model's own VAE: it encodes a colour chart, and the
chart's average colours are what the matrix must give back. So every model whose VAE can encode has previews.

The picture shown is the expected end, not the noisy middle: what the last prediction says about the finished latents.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLQwenImage,
    DDPMWuerstchenScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    PNDMScheduler,
    VQModel,
)
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel
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
_FLOW = (FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler)
_DECODERS = ("vae", "movq", "vqgan")


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

    `unpack` turns what the pipeline denoises into an image: shape (1, channels, height, width).
    """

    def __init__(
        self, projection: Projection, scheduler: Any, unpack: Callable[[torch.Tensor], torch.Tensor] = lambda row: row
    ) -> None:
        self._projection = projection
        self._expected = ExpectedEnd(scheduler)
        self._unpack = unpack
        self._next = perf_counter()

    def after(self, latents: torch.Tensor) -> bytes | None:
        """A JPEG after a step that left `latents`; None when time forbids, or for latents of another form."""
        now = perf_counter()
        if now < self._next:
            return None
        image = self._unpack(self._expected.of(latents))
        if image.ndim != 4 or image.shape[1] != len(self._projection.matrix) - 1:
            return None
        jpeg = self._projection.jpeg(image[0])
        done = perf_counter()
        self._next = done + max(PAUSE, (done - now) / SHARE)
        return jpeg


class ExpectedEnd:
    """Overhears the steps of a scheduler, so as to know what finished latents the model expects.

    With x the latents and m the model's output at a level of `signal` and `noise`, they are
    (x − noise·m) / signal where m is the noise, signal·x − noise·m where it is v, and x − noise·m for a flow.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._seen: dict[str, Any] = {}
        self._result: Any = None
        self._listen()

    def of(self, latents: torch.Tensor) -> torch.Tensor:
        """The finished latents expected at the last step, which left `latents`; these, where they cannot be told."""
        if not self._seen:
            return latents
        known = getattr(self._result, "pred_original_sample", None)
        if known is None and isinstance(self._result, tuple) and len(self._result) > 1:
            known = self._result[1]
        if known is None:
            known = self._solved()
        return latents if known is None or known.shape != latents.shape else known

    def _listen(self) -> None:
        step = getattr(self._scheduler, "step", None)
        if step is None:
            return
        signature = inspect.signature(step)

        @wraps(step)
        def overheard(*args: Any, **kwargs: Any) -> Any:
            self._result = step(*args, **kwargs)
            self._seen = signature.bind(*args, **kwargs).arguments
            return self._result

        self._scheduler.step = overheard

    def _solved(self) -> torch.Tensor | None:
        sample: torch.Tensor = self._seen["sample"].float()
        output: torch.Tensor = self._seen["model_output"].float()
        level = self._level()
        if level is None or output.shape != sample.shape:
            return None
        signal, noise = level
        match self._prediction():
            case "epsilon":
                return (sample - noise * output) / signal
            case "v_prediction":
                return signal * sample - noise * output
            case "flow_prediction":
                return sample - noise * output
        return None

    def _prediction(self) -> str:
        if isinstance(self._scheduler, _FLOW):
            return "flow_prediction"
        return str(self._scheduler.config.get("prediction_type", "epsilon"))

    def _level(self) -> tuple[float, float] | None:
        """Share of signal and of noise in the latents that the last step began with."""
        scheduler = self._scheduler
        if isinstance(scheduler, _FLOW):
            sigma = float(scheduler.sigmas[scheduler.step_index - 1])
            return 1 - sigma, sigma
        if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):  # DPM-Solver and its kin
            signal, noise = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[scheduler.step_index - 1])
            return float(signal), float(noise)
        if isinstance(scheduler, PNDMScheduler):
            kept = float(scheduler.alphas_cumprod[int(self._seen["timestep"])])
            return kept**0.5, (1 - kept) ** 0.5
        if isinstance(scheduler, DDPMWuerstchenScheduler):
            kept = float(scheduler._alpha_cumprod(self._seen["timestep"][:1], self._seen["sample"].device))
            return kept**0.5, (1 - kept) ** 0.5
        return None


def image_decoder(pipeline: Any) -> Any:
    """The component that turns latents into pixels, by whichever name; None when there is none."""
    return next((found for name in _DECODERS if (found := getattr(pipeline, name, None)) is not None), None)


def projection_for(pipeline: Any, device: str, revision: str, cache: Path) -> Projection | None:
    """The projection of a pipeline's VAE: from `cache`, or fitted on `device` and kept; None for other kinds of VAE.

    Call it before the pipeline is settled: to be fitted, the VAE visits the device and comes back.
    """
    vae = image_decoder(pipeline)
    reader = reader_of(vae)
    if reader is None:
        return None
    key = hashlib.sha256(f"{vae.to_json_string()}{revision}".encode()).hexdigest()[:24]
    file = cache / f"{key}.safetensors"
    with suppress(OSError, SafetensorError, KeyError):
        return Projection(load_file(file)["matrix"])
    projection: Projection = fit(vae, reader, torch.device(device))
    with suppress(OSError):
        _keep(projection, file)
    return projection


def fit(vae: Any, reader: Reader, device: torch.device) -> Projection:
    """Fit the projection: encode a colour chart, and solve for the matrix that gives its colours back.

    In float32, because some VAEs overflow in float16; a quantised one is taken as it is.
    """
    chart = colour_chart()
    home, dtype, fixed = vae.device, vae.dtype, getattr(vae, "hf_quantizer", None) is not None
    if not fixed:
        vae.to(device, torch.float32)
    with torch.no_grad():
        latents = reader(vae, chart.to(device, vae.dtype)).float().cpu()
    if not fixed:
        vae.to(home, dtype)
    colours = F.adaptive_avg_pool2d(chart, (latents.shape[-2], latents.shape[-1]))
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


Reader = Callable[[Any, torch.Tensor], torch.Tensor]
"""Gives the latents, as the pipeline denoises them, of a picture (1, 3, height, width) with values 0 to 1."""


def reader_of(vae: Any) -> Reader | None:
    """How a VAE of that class is read; None for a class whose latents nobody has explained yet."""
    return next((reader for kind, reader in _READERS.items() if isinstance(vae, kind)), None)


def _read_kl(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    latents: torch.Tensor = vae.encode(picture * 2 - 1).latent_dist.mode()
    return (latents - float(vae.config.shift_factor or 0.0)) * float(vae.config.scaling_factor)


def _read_qwen(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    """Qwen-Image's VAE is one for videos: a picture is a video of one frame."""
    latents: torch.Tensor = vae.encode(picture.unsqueeze(2) * 2 - 1).latent_dist.mode()[:, :, 0]
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1).to(latents)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / std


def _read_dc(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    latents: torch.Tensor = vae.encode(picture * 2 - 1).latent
    return latents * float(vae.config.scaling_factor)


def _read_movq(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    latents: torch.Tensor = vae.encode(picture * 2 - 1).latents
    return latents


def _read_paella(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    latents: torch.Tensor = vae.encode(picture).latents
    return latents / float(vae.config.scale_factor)


_READERS: dict[type[Any], Reader] = {
    AutoencoderKL: _read_kl,
    AutoencoderKLQwenImage: _read_qwen,
    AutoencoderDC: _read_dc,
    VQModel: _read_movq,
    PaellaVQModel: _read_paella,
}


def _keep(projection: Projection, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    save_file({"matrix": projection.matrix}, temporary)
    temporary.replace(file)
