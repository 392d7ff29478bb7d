"""What the ControlNet learns from: scenes, the edges that the studio finds in them, and the latents of both.

A third of the pictures is mirrored and a quarter holds several things or two suns, which the checkpoint never saw:
there only the edges can tell where things are, so the net learns to be followed and not to agree.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageOps
from torch import Tensor

from demo.autoencoder import to_tensor
from demo.drawing import render
from demo.scenes import Scene, is_held_out, sample_judge_scene, sample_scene
from pipeline.pictures.edges import canny

TRAIN_COUNT = 2048
VALIDATION_COUNT = 64
CHUNK = 32
MIRRORED_SHARE = 0.33
CROWDED_SHARE = 0.25
CHECKPOINT = Path(__file__).parents[1] / "checkpoint"
_SPLIT_SEED = {"train": 21, "validation": 22}
_OPPOSITE = {"left": "right", "right": "left", "middle": "middle"}


@dataclass(frozen=True)
class Pair:
    """The picture of a scene, 256 × 256, and its edges."""

    picture: Image.Image
    edges: Image.Image


def _crowded_scene(rng: random.Random) -> Scene:
    """Several things or two suns, in a combination that training may see."""
    while True:
        scene = sample_judge_scene(rng)
        if not is_held_out(scene):
            return scene


def _draw(split: str, index: int) -> tuple[Scene, bool, random.Random]:
    """The scene before it is mirrored, whether it is, and the dice for the rest."""
    rng = random.Random(_SPLIT_SEED[split] * 10_000_019 + index)
    scene = _crowded_scene(rng) if rng.random() < CROWDED_SHARE else sample_scene(rng)
    return scene, rng.random() < MIRRORED_SHARE, rng


def scene_at(split: str, index: int) -> Scene:
    """The scene with this index as its caption tells it; the same on every machine."""
    scene, flipped, _ = _draw(split, index)
    return mirrored(scene) if flipped else scene


def mirrored(scene: Scene) -> Scene:
    """What a caption has to say of the scene's mirror image."""
    return dataclasses.replace(scene, place=_OPPOSITE[scene.place])


def pair_at(split: str, index: int) -> Pair:
    """The picture of `scene_at` and its edges, with thresholds and smoothing that vary."""
    scene, flipped, rng = _draw(split, index)
    picture = render(scene)[0]
    if flipped:
        picture = ImageOps.mirror(picture)
    high = 0.05 * 8 ** rng.random()
    return Pair(picture, canny(picture, rng.uniform(0.3, 0.6) * high, high, rng.uniform(0.7, 1.8)))


def load_autoencoder() -> AutoencoderKL:
    """The checkpoint's autoencoder."""
    return AutoencoderKL.from_pretrained(CHECKPOINT, subfolder="vae", dtype=torch.float32).eval()


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: list[Image.Image]) -> Tensor:
    """Latents (N, 8, 32, 32) as the pipeline scales them, of pictures and of control maps alike."""
    batch = to_tensor(np.stack([np.asarray(picture) for picture in pictures]), 256, torch.device("cpu"))
    mode = vae.encode(batch).latent_dist.mode()
    latents: Tensor = ((mode - vae.config.shift_factor) * vae.config.scaling_factor).half()
    return latents


def _encode_chunk(task: tuple[Path, str, int]) -> None:
    file, split, start = task
    torch.set_num_threads(1)
    vae, pairs = load_autoencoder(), [pair_at(split, index) for index in range(start, start + CHUNK)]
    partial = file.with_suffix(".partial")
    latents = {"pictures": encode(vae, [p.picture for p in pairs]), "edges": encode(vae, [p.edges for p in pairs])}
    torch.save(latents, partial)
    partial.replace(file)


def prepare_split(folder: Path, split: str, count: int, processes: int) -> None:
    """Encode the first `count` pairs in chunks; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(folder / f"{split}-{start:06}.pt", split, start) for start in range(0, count, CHUNK)]
    missing = [task for task in tasks if not task[0].exists()]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        list(pool.imap_unordered(_encode_chunk, missing))


def load_split(folder: Path, split: str, count: int) -> tuple[Tensor, Tensor, list[Scene]]:
    """Latents of pictures and of edges, both (N, 8, 32, 32) in half precision, and the scenes."""
    chunks = [
        torch.load(folder / f"{split}-{start:06}.pt", weights_only=True, mmap=True) for start in range(0, count, CHUNK)
    ]
    pictures, edges = (torch.cat([chunk[name] for chunk in chunks])[:count] for name in ("pictures", "edges"))
    return pictures, edges, [scene_at(split, index) for index in range(len(pictures))]
