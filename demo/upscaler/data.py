"""Pairs to learn from: pieces of rendered scenes, and what four ways of making a picture smaller leave of them.

Scenes are drawn at up to four times the size of the demo's pictures, so that the small one is a demo picture and the
large one is what it would be, had it been drawn large. Nothing but the demo's own renderer and autoencoder is used.
"""

from __future__ import annotations

import io
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageFilter

from demo.data import scene_at
from demo.drawing import render
from demo.painting import vertical_alpha, vertical_ramp

log = logging.getLogger(__name__)

CHECKPOINT = Path(__file__).parent.parent / "checkpoint"
FACTOR = 4
SIDE = 48
"""Pixels of a small piece; a large one has `FACTOR` times as many."""
PLAN = ((4, 160, 16), (2, 240, 6), (1, 400, 2))
"""Scale of a scene's drawing, how many scenes, and how many pieces are cut from each."""
KINDS = ("box", "bicubic", "lanczos", "soft")
_CANDIDATES = 3
"""Places that are looked at for each piece; the one with most contrast is cut, since a plain sky teaches little."""


@dataclass(frozen=True)
class Pairs:
    """Pieces of pictures, memory-mapped, RGB with values from 0 to 255."""

    large: np.ndarray
    """Shape (pieces, 192, 192, 3)."""
    small: np.ndarray
    """Shape (pieces, 4, 48, 48, 3): one for each of `KINDS`."""


def load_vae() -> AutoencoderKL:
    """The demo model's autoencoder: what goes through it comes out as soft as what the model draws."""
    return AutoencoderKL.from_pretrained(CHECKPOINT, subfolder="vae").eval()


@torch.no_grad()
def through_vae(vae: AutoencoderKL, picture: Image.Image) -> Image.Image:
    """A picture after encoding and decoding. Its sides are multiples of 8."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    decoded = vae.decode(vae.encode(pixels).latent_dist.mode()).sample[0]
    return Image.fromarray(((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())


def draw(split: str, index: int, scale: int) -> Image.Image:
    """A scene, `scale` times as large as the demo draws it."""
    picture, _ = render(scene_at(split, index), scale)
    vertical_ramp.cache_clear()  # large ones fill the memory
    vertical_alpha.cache_clear()
    return picture


def smaller(picture: Image.Image, kind: str) -> Image.Image:
    """A quarter of the size, by a method of Pillow's."""
    if kind == "box":
        return picture.reduce(FACTOR)
    size = (picture.width // FACTOR, picture.height // FACTOR)
    return picture.resize(size, Image.Resampling[kind.upper()])


def _softened(picture: Image.Image, vae: AutoencoderKL, rng: random.Random) -> Image.Image:
    """As a generated picture or a photograph of the web is: through the autoencoder, or blurred and kept as JPEG."""
    if rng.random() < 0.7:
        return through_vae(vae, picture)
    buffer = io.BytesIO()
    blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    blurred.save(buffer, "JPEG", quality=rng.randrange(70, 96))
    return Image.open(buffer).convert("RGB")


def _places(small: np.ndarray, count: int, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Corners of `count` pieces of a small picture, (y, x)."""
    height, width = small.shape[:2]
    for _ in range(count):
        found = [(rng.randint(0, height - SIDE), rng.randint(0, width - SIDE)) for _ in range(_CANDIDATES)]
        yield max(found, key=lambda at: small[at[0] : at[0] + SIDE, at[1] : at[1] + SIDE].std())


def _pieces(
    vae: AutoencoderKL, split: str, index: int, scale: int, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = random.Random(index * 8 + scale)
    picture = draw(split, index, scale)
    reduced = {kind: smaller(picture, kind) for kind in KINDS if kind != "soft"}
    reduced["soft"] = _softened(reduced["box"], vae, rng)
    large, small = np.asarray(picture), np.stack([np.asarray(reduced[kind]) for kind in KINDS])
    for y, x in _places(small[0], count, rng):
        whole = large[y * FACTOR : (y + SIDE) * FACTOR, x * FACTOR : (x + SIDE) * FACTOR]
        yield whole, small[:, y : y + SIDE, x : x + SIDE]


def _paths(folder: Path) -> tuple[Path, Path]:
    return folder / "large.npy", folder / "small.npy"


def load_pairs(folder: Path) -> Pairs:
    """The prepared pieces."""
    return Pairs(*(np.load(path, mmap_mode="r") for path in _paths(folder)))


def prepare_pairs(folder: Path) -> None:
    """Render the scenes and cut them, as far as that is not done."""
    scenes = [(scale, pieces) for scale, count, pieces in PLAN for _ in range(count)]
    large, small = _opened(folder, sum(pieces for _, pieces in scenes))
    vae, place = load_vae(), 0
    for index, (scale, pieces) in enumerate(scenes):
        if not small[place + pieces - 1].any():  # still as it was made
            for number, pair in enumerate(_pieces(vae, "train", index, scale, pieces), place):
                large[number], small[number] = pair
        place += pieces
    log.info("%d pieces of %d scenes are there", place, len(scenes))


def _opened(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The files of the pieces, to be written; black where nothing has been drawn yet."""
    paths = _paths(folder)
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        shapes = ((count, SIDE * FACTOR, SIDE * FACTOR, 3), (count, len(KINDS), SIDE, SIDE, 3))
        for path, shape in zip(paths, shapes, strict=True):
            np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
    large, small = (np.load(path, mmap_mode="r+") for path in paths)
    return large, small
