"""Makes a picture larger: with a learned network, tile by tile, or by resizing.

    large = upscale(picture, 2, find_upscaler("darkroom-x4", shelf), device="cpu")

A network is asked for a tile and what surrounds it, and only the tile is kept, so the seams do not show, and what it
takes beside the picture itself does not grow with its size. Where another factor than the network's own is wanted, each
tile is resized on its own, from exactly the pixels that the whole picture would have given it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, floor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from pipeline.engine.networks import read_network
from pipeline.errors import InvalidRequest, OutOfMemory
from pipeline.models.own.networks import Network
from pipeline.models.upscalers import LANCZOS, Upscaler
from pipeline.pictures.fit import Size

TILE = 192
"""Longest side of a tile, in pixels of the small picture."""
_OVERLAP = 32
"""Pixels around a tile, at most, that the network sees too. Compact networks of up to 30 blocks see no farther, so
tiles change nothing; deep ones could, but what is that far away hardly counts for them."""
_FILTER = 3
"""Pixels around a tile that resizing needs: half the width of a Lanczos filter."""


@dataclass(frozen=True, slots=True)
class _Span:
    """One side of a tile."""

    start: int
    end: int
    """From where to where it goes in the large picture, in pixels."""
    first: int
    last: int
    """What the network sees for it, in pixels of the small picture."""
    low: float
    high: float
    """Where `start` and `end` are in the small picture."""


def upscale(
    image: Image.Image,
    factor: int,
    upscaler: Upscaler,
    *,
    device: str = "cpu",
    tile: int = TILE,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Image.Image:
    """`image` (mode RGB) made `factor` times as wide and high, 2 to 4.

    A network computes in float32 on `device`, a name of torch's such as `cuda:0`. After each of its tiles `report` is
    told how many of how many are done; what that raises ends the work. Raises `InvalidRequest` for a file that holds no
    network that is known, and `OutOfMemory`.
    """
    size = image.width * factor, image.height * factor
    if upscaler.path is None:
        return image.resize(size, Image.Resampling.LANCZOS)
    network, model = _network(upscaler, upscaler.path, device)
    across, down = (_spans(*lengths, tile, network) for lengths in zip(image.size, size, strict=True))
    large, tiles = Image.new("RGB", size), list(product(down, across))
    for done, (y, x) in enumerate(tiles, 1):
        large.paste(_tile(image, x, y, network, model), (x.start, y.start))
        report(done, len(tiles))
    return large


def tiles_of(size: Size, upscaler: Upscaler) -> int:
    """In how many tiles a picture of `size` is made larger; 0 without a network."""
    return 0 if upscaler.path is None else ceil(size[0] / TILE) * ceil(size[1] / TILE)


def forget() -> None:
    """Give back the memory of the network that was used last."""
    _read.cache_clear()


def _network(upscaler: Upscaler, path: Path, device: str) -> tuple[Network, nn.Module]:
    try:
        return _read(path, path.stat().st_mtime_ns, device)
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(
            f"The upscaler “{upscaler.name}” cannot be read: {reason}.",
            f"Choose another one; {LANCZOS.name} is always there.",
            field="upscale",
        ) from error


@lru_cache(maxsize=1)
def _read(path: Path, changed: int, device: str) -> tuple[Network, nn.Module]:
    """The network in a file that was last `changed` then; that of the last call is kept."""
    return read_network(path, device)


def _spans(small: int, large: int, tile: int, network: Network) -> list[_Span]:
    """One side of the picture, `small` pixels that become `large` ones, in equal parts of at most `tile`."""
    margin, count = min(network.reach, _OVERLAP) + _FILTER, ceil(small / tile)
    spans = []
    for number in range(count):
        start, end = (round(edge * large / count) for edge in (number, number + 1))
        low, high = start * small / large, end * small / large
        first, last = max(0, floor(low) - margin), ceil(high) + margin
        first, last = first - first % network.unshuffle, min(small, last + -last % network.unshuffle)
        spans.append(_Span(start, end, first, last, low, high))
    return spans


def _tile(image: Image.Image, x: _Span, y: _Span, network: Network, model: nn.Module) -> Image.Image:
    """One tile of the large picture."""
    made = _through(model, image.crop((x.first, y.first, x.last, y.last)), network)
    left, right = ((edge - x.first) * network.factor for edge in (x.low, x.high))
    top, bottom = ((edge - y.first) * network.factor for edge in (y.low, y.high))
    width, height = x.end - x.start, y.end - y.start
    # One axis after the other: Pillow would choose the order by the tile's shape, and it shows in the last digits.
    made = made.resize((width, made.height), Image.Resampling.LANCZOS, box=(left, 0, right, made.height))
    return made.resize((width, height), Image.Resampling.LANCZOS, box=(0, top, width, bottom))


@torch.inference_mode()
def _through(model: nn.Module, picture: Image.Image, network: Network) -> Image.Image:
    """What the network makes of a picture: `network.factor` times as large."""
    weight = next(model.parameters())
    pixels = torch.from_numpy(np.array(picture)).to(weight.device).permute(2, 0, 1)[None].to(weight.dtype) / 255
    padding = (0, -picture.width % network.unshuffle, 0, -picture.height % network.unshuffle)
    try:
        made = model(F.pad(pixels, padding, mode="replicate"))[0]
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The GPU's memory ran out while the picture was made larger.",
            f"Choose the upscaler {LANCZOS.name}, or close other programs that use the GPU.",
        ) from error
    made = made.clamp_(0, 1).mul_(255).round_().byte().permute(1, 2, 0)
    height, width = (side * network.factor for side in (picture.height, picture.width))
    return Image.fromarray(made[:height, :width].cpu().numpy())
