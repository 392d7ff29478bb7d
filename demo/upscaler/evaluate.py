"""Measures the built-in upscaler: `python -m demo.upscaler.evaluate`.

Scenes that training never saw are drawn large and made smaller, and enlarged again in three ways. Writes
`evaluation.json` and `comparison.jpg` beside this file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data as photographs
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from demo.upscaler.data import FACTOR, draw, load_vae, smaller, through_vae
from pipeline.engine.upscale import upscale
from pipeline.models.upscalers import DARKROOM

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SCENES = 24
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
SHOWN = ((0, (400, 560)), (9, (350, 600)), (23, (420, 300)))
"""Scenes of the comparison, and the corner of what is shown of them."""
_CUT = 240
Pair = tuple[Image.Image, Image.Image]
"""A picture, and what has to be enlarged to it."""


METHODS: dict[str, Callable[[Image.Image, tuple[int, int]], Image.Image]] = {
    "bicubic": lambda small, size: small.resize(size, Image.Resampling.BICUBIC),
    "lanczos": lambda small, size: small.resize(size, Image.Resampling.LANCZOS),
    DARKROOM.name: lambda small, size: upscale(small, size[0] // small.width, DARKROOM),
}


def scenes(scale: int, kind: str = "box") -> Iterator[Pair]:
    """Unseen scenes, drawn `scale` times as large as the demo does."""
    for index in range(SCENES):
        picture = draw("validation", index, scale)
        yield picture, smaller(picture, kind)


def sets() -> Iterator[tuple[str, Iterator[Pair]]]:
    """What is measured, by name."""
    vae = load_vae()
    yield "demo pictures, 256 to 1024", scenes(4)
    yield "the same, made smaller by bicubic", scenes(4, "bicubic")
    yield "the same, through the demo's autoencoder", ((large, through_vae(vae, small)) for large, small in scenes(4))
    yield "demo pictures, 256 to 512", ((large, large.reduce(2)) for large, _ in scenes(2))
    yield "demo pictures, 64 to 256", scenes(1)
    yield "photographs, not what it is for", map(_photograph, PHOTOGRAPHS)


def _photograph(name: str) -> Pair:
    photograph = Image.fromarray(getattr(photographs, name)())
    width, height = (side - side % FACTOR for side in photograph.size)
    whole = photograph.crop((0, 0, width, height))
    return whole, whole.reduce(FACTOR)


def measure(pairs: Iterator[Pair]) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB and mean SSIM of each method."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for large, small in pairs:
        truth = np.asarray(large)
        for name, enlarge in METHODS.items():
            made = np.asarray(enlarge(small, large.size))
            ssim = structural_similarity(truth, made, channel_axis=2)
            found[name].append((peak_signal_noise_ratio(truth, made), ssim))
    return {
        name: dict(zip(("psnr", "ssim"), np.mean(rows, axis=0).round(4).tolist(), strict=True))
        for name, rows in found.items()
    }


def comparison(path: Path) -> None:
    """A JPEG of pieces of unseen scenes: as the demo draws them, enlarged in two ways, and drawn large."""
    columns = ("256 x 256", "lanczos", DARKROOM.name, "drawn large")
    sheet = Image.new("RGB", (len(columns) * (_CUT + 4), len(SHOWN) * (_CUT + 4) + 16), "white")
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(columns):
        pen.text((column * (_CUT + 4) + 2, 2), title, fill="black")
    for row, (index, (x, y)) in enumerate(SHOWN):
        large = draw("validation", index, FACTOR)
        small = smaller(large, "box")
        made = [small.resize(large.size, Image.Resampling.NEAREST)]
        made += [METHODS[name](small, large.size) for name in ("lanczos", DARKROOM.name)]
        for column, picture in enumerate([*made, large]):
            piece = picture.crop((x, y, x + _CUT, y + _CUT))
            sheet.paste(piece, (column * (_CUT + 4), row * (_CUT + 4) + 16))
    sheet.save(path, quality=84)


def main() -> None:
    """Evaluate and write the report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    report = {}
    for name, pairs in sets():
        report[name] = measure(pairs)
        log.info("%s %s", name, report[name])
    (HERE / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    comparison(HERE / "comparison.jpg")


if __name__ == "__main__":
    main()
