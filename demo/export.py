"""Writes a trained demo model as an ordinary diffusers folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

from demo.diffusion import Networks

SIZE_LIMIT = 20 * 2**20


def export_pipeline(nets: Networks, vae: AutoencoderKL, folder: Path) -> int:
    """Save a bfloat16 `StableDiffusion3Pipeline` that loads without extra arguments; returns its bytes."""
    text = nets.text
    pipeline = StableDiffusion3Pipeline(
        transformer=nets.flow.model,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=vae,
        text_encoder=text.clip_l,
        tokenizer=text.clip_tokenizer,
        text_encoder_2=text.clip_g,
        tokenizer_2=text.clip_tokenizer,
        text_encoder_3=text.t5,
        tokenizer_3=text.t5_tokenizer,
    )
    pipeline.to(torch.bfloat16)
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.save_pretrained(folder)
    for part in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        _load_in_float32(folder / part / "config.json")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o644)  # weights are written readable for the owner only
    size = sum(path.stat().st_size for path in files)
    if size > SIZE_LIMIT:
        raise ValueError(
            f"The checkpoint in {folder} takes {size / 2**20:.1f} MiB; the limit is {SIZE_LIMIT >> 20} MiB."
        )
    return size


def _load_in_float32(config: Path) -> None:
    """Let a text encoder load in float32 unless a dtype is asked for, as the other parts do.

    transformers takes the dtype of the file by default, diffusers float32; mixed, the pipeline fails.
    """
    values = json.loads(config.read_text()) | {"dtype": "float32"}
    config.write_text(json.dumps(values, indent=2) + "\n")
