"""What the LoRA learns from: pieces of scenes drawn large, as they are and as an enlarged small picture has them.

A hires fix enlarges a picture of 256 × 256 and has the model draw it over in windows of that size, so each shows a part
of a scene. The checkpoint saw whole scenes only, and puts another sun into every window.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageFilter
from torch import Tensor

from demo.controlnet.pairs import encode, load_autoencoder
from demo.data import scene_at
from demo.drawing import IMAGE_SIZE
from demo.scenes import Scene
from demo.upscaler.data import draw, through_vae

TRAIN_COUNT, VALIDATION_COUNT = 320, 32
CHUNK = 32
PIECES = 3
"""Of each scene."""
SCALES = (2, 2, 2, 3, 4)
"""How many times as large scenes are drawn; most pictures are doubled."""
BLURS = (0.0, 0.9)
"""Pixels by which small pictures are blurred: what the model draws is softer than what its autoencoder leaves."""


@dataclass(frozen=True)
class Pieces:
    """Latents (N, 8, 32, 32) in half precision, and the scene that each is cut from."""

    sharp: Tensor
    soft: Tensor
    scenes: list[Scene]


def enlarged(picture: Image.Image, factor: int) -> Image.Image:
    """A picture `factor` times as large, by the filter that is always there."""
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)


def pair_at(split: str, index: int, vae: AutoencoderKL) -> tuple[Image.Image, Image.Image]:
    """A scene drawn large, and its small picture after the autoencoder, softened and enlarged to the same size."""
    rng = random.Random(index)
    scale = rng.choice(SCALES)
    large = draw(split, index, scale)
    small = through_vae(vae, large.reduce(scale)).filter(ImageFilter.GaussianBlur(rng.uniform(*BLURS)))
    return large, enlarged(small, scale)


def _pieces(split: str, index: int, vae: AutoencoderKL) -> list[tuple[Image.Image, Image.Image]]:
    rng, (large, soft) = random.Random(-index), pair_at(split, index, vae)
    found = []
    for _ in range(PIECES):
        left, top = (rng.randint(0, length - IMAGE_SIZE) for length in large.size)
        box = (left, top, left + IMAGE_SIZE, top + IMAGE_SIZE)
        found.append((large.crop(box), soft.crop(box)))
    return found


def prepare(folder: Path, split: str, count: int) -> None:
    """Cut and encode the first `count` scenes in chunks; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    vae = load_autoencoder()
    for start in range(0, count, CHUNK):
        if (file := _chunk(folder, split, start)).exists():
            continue
        pairs = [pair for index in range(start, start + CHUNK) for pair in _pieces(split, index, vae)]
        sharp, soft = (torch.cat([encode(vae, [one]) for one in side]) for side in zip(*pairs, strict=True))
        partial = file.with_suffix(".partial")
        torch.save({"sharp": sharp, "soft": soft}, partial)
        partial.replace(file)


def load(folder: Path, split: str, count: int) -> Pieces:
    """The prepared pieces of a split."""
    chunks = [torch.load(_chunk(folder, split, start), weights_only=True) for start in range(0, count, CHUNK)]
    sharp, soft = (torch.cat([chunk[name] for chunk in chunks]) for name in ("sharp", "soft"))
    return Pieces(sharp, soft, [scene_at(split, place // PIECES) for place in range(len(sharp))])


def _chunk(folder: Path, split: str, start: int) -> Path:
    return folder / f"{split}-{start:06}.pt"
