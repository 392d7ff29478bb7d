"""The autoencoder: a small stock `AutoencoderKL` that turns 256 x 256 x 3 into 32 x 32 x 8.

A network this narrow does not train from PyTorch's default initialisation in the minutes it is given.
It starts almost linear instead: every residual branch is zero, down-sampling is an average and
up-sampling a copy, so the first step already sees a blurred picture. It then learns on whole
pictures of growing size, because most of the work (colours, layout, edges) is cheap at low resolution.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

log = logging.getLogger(__name__)

LATENT_CHANNELS = 8
LATENT_SIZE = 32


@dataclass(frozen=True)
class Stage:
    """A stretch of training at one picture size."""

    size: int
    batch: int
    steps: int


STAGES = (Stage(64, 8, 2400), Stage(128, 4, 2300), Stage(256, 4, 700))
LEARNING_RATE = 2e-3
WARMUP_STEPS = 50
FINAL_FRACTION = 0.01
KL_WEIGHT = 1e-4
EDGE_WEIGHT = 0.5


def build_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder, initialised almost linear."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        sample_size=256,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    _init_near_linear(vae)
    return vae


@torch.no_grad()
def _init_near_linear(vae: AutoencoderKL) -> None:
    for module in vae.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, fan_in**-0.5)
            if module.bias is not None:
                module.bias.zero_()
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            module.conv2.weight.zero_()
        elif isinstance(module, Downsample2D):
            # Pads right and below: these four taps are the 2 x 2 average.
            module.conv.weight.mul_(0.1)
            for channel in range(module.conv.weight.shape[0]):
                module.conv.weight[channel, channel, :2, :2] += 0.25
        elif isinstance(module, Upsample2D):
            module.conv.weight.mul_(0.1)
            for channel in range(module.conv.weight.shape[0]):
                module.conv.weight[channel, channel, 1, 1] += 1.0
    vae.encoder.conv_out.bias[LATENT_CHANNELS:].fill_(-6.0)  # start with nearly noise-free latents


def to_tensor(images: np.ndarray, size: int, device: torch.device) -> Tensor:
    """Pictures (N, H, W, 3) in 0..255 as a batch in -1..1 of the given size."""
    batch = torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    if batch.shape[-1] != size:
        batch = F.avg_pool2d(batch, batch.shape[-1] // size)
    return batch.contiguous(memory_format=torch.channels_last)


def _edges(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Absolute and squared error, plus the absolute error of the edges, which keeps outlines sharp."""
    loss = F.l1_loss(output, target) + F.mse_loss(output, target)
    for a, b in zip(_edges(output), _edges(target), strict=True):
        loss = loss + EDGE_WEIGHT * F.l1_loss(a, b)
    return loss


def _learning_rate(step: int, total: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / total))
    return LEARNING_RATE * min(1.0, (step + 1) / WARMUP_STEPS) * (FINAL_FRACTION + (1 - FINAL_FRACTION) * cosine)


def psnr(vae: AutoencoderKL, images: np.ndarray, device: torch.device) -> float:
    """Mean peak signal-to-noise ratio in dB of reconstructions at full size."""
    values = []
    with torch.no_grad():
        for start in range(0, len(images), 8):
            x = to_tensor(images[start : start + 8], 256, device)
            with torch.autocast(device.type, torch.bfloat16):
                y = vae.decode(vae.encode(x).latent_dist.mode()).sample
            error = ((y.float().clamp(-1, 1) - x) / 2).square().mean(dim=(1, 2, 3))
            values.append(-10 * error.log10())
    return torch.cat(values).mean().item()


def train_autoencoder(images: np.ndarray, held_out: np.ndarray, state: Path, device: torch.device) -> AutoencoderKL:
    """Train through all stages; `state` lets a broken run go on where it stopped."""
    torch.manual_seed(0)
    vae = build_autoencoder().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(vae.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    first = 0
    if state.exists():
        saved = torch.load(state, map_location=device, weights_only=True)
        vae.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
    plan = [stage for stage in STAGES for _ in range(stage.steps)]
    began = time.monotonic()
    for step in range(first, len(plan)):
        stage = plan[step]
        rows = np.random.default_rng(step).integers(len(images), size=stage.batch)
        x = to_tensor(images[np.sort(rows)], stage.size, device)
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(step, len(plan))
        with torch.autocast(device.type, torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.sample()).sample
        kl = 0.5 * (posterior.mean.float().square() + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        loss = reconstruction_loss(y.float(), x) + KL_WEIGHT * kl
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 2.0)
        optimiser.step()
        if (step + 1) % 100 == 0:
            noise = ((y.detach().float() - x) / 2).square().mean().item()
            log.info("vae %5d  %3d px  loss %.4f  psnr %.2f  %.0f s", step + 1, stage.size, loss.item(),
                     -10 * math.log10(noise), time.monotonic() - began)  # fmt: skip
        if (step + 1) % 300 == 0 or step + 1 == len(plan):
            torch.save({"model": vae.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, state)
    log.info("vae held-out psnr %.2f dB at 256 px", psnr(vae, held_out, device))
    return vae.eval()


@torch.no_grad()
def encode_all(vae: AutoencoderKL, images: np.ndarray, device: torch.device) -> Tensor:
    """Latent means (N, 8, 32, 32) of all pictures, in half precision."""
    out = torch.empty(len(images), LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE, dtype=torch.float16)
    for start in range(0, len(images), 16):
        with torch.autocast(device.type, torch.bfloat16):
            mode = vae.encode(to_tensor(images[start : start + 16], 256, device)).latent_dist.mode()
        out[start : start + 16] = mode.cpu()
    return out


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Give every latent channel unit variance, and fold that scale into the convolutions around it.

    The pipeline knows one shift and one scale for all channels, so differences between channels have to
    be absorbed by the weights. Scaling is exact; the common mean goes into `shift_factor`.
    """
    std = latents.float().std(dim=(0, 2, 3))
    scale = torch.cat([std, torch.ones_like(std)]).to(vae.device)
    vae.encoder.conv_out.weight.div_(scale[:, None, None, None])
    vae.encoder.conv_out.bias.div_(scale)
    vae.encoder.conv_out.bias[LATENT_CHANNELS:].sub_(2 * std.log().to(vae.device))  # log variance
    vae.decoder.conv_in.weight.mul_(std.to(vae.device)[None, :, None, None])
    latents = latents.float() / std[:, None, None]
    shift = latents.mean().item()
    factor = 1 / latents.std().item()
    vae.register_to_config(shift_factor=shift, scaling_factor=factor)
    return ((latents - shift) * factor).half()
