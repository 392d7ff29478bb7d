"""Measures the LoRA: `python -m demo.detail.evaluate`.

Scenes that training never saw are halved and softened as in training, enlarged by Lanczos, and drawn over in the
studio's own windows, with the LoRA and without. Writes `evaluation.json` and `comparison.jpg` beside this file.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusion3Img2ImgPipeline
from PIL import Image, ImageDraw, ImageFilter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from demo.captions import plain_prompt
from demo.controlnet.pairs import CHECKPOINT
from demo.data import scene_at
from demo.detail.pieces import enlarged
from demo.detail.train import HERE, NAME
from demo.drawing import IMAGE_SIZE
from demo.text import MAX_TOKENS
from demo.upscaler.data import draw, load_vae, through_vae
from pipeline.pictures.patches import pasted, tiles

log = logging.getLogger(__name__)

SCENES, FIRST = 8, 100
"""How many, and the first one's index; training looks at the first of this split now and then."""
FACTOR = 2
BLUR = 0.5
STRENGTHS = (0.2, 0.35)
SHOWN = 0.2
STEPS, GUIDANCE = 28, 3.5
_ROWS = 4


@dataclass(frozen=True)
class Case:
    """A scene drawn large, what a hires fix would begin with, and the words for it."""

    prompt: str
    large: Image.Image
    begun: Image.Image
    seed: int


def draw_cases() -> list[Case]:
    """Unseen scenes, the same on every machine."""
    vae, found = load_vae(), []
    for index in range(FIRST, FIRST + SCENES):
        large = draw("validation", index, FACTOR)
        small = through_vae(vae, large.reduce(FACTOR)).filter(ImageFilter.GaussianBlur(BLUR))
        words = plain_prompt(scene_at("validation", index))
        found.append(Case(words, large, enlarged(small, FACTOR), index))
    return found


def drawn_over(pipeline: Any, case: Case, strength: float) -> Image.Image:
    """The enlarged picture after each of the windows in which the studio draws over it."""
    picture, noise = case.begun, torch.Generator().manual_seed(case.seed)
    for patch in tiles(picture.size, (IMAGE_SIZE, IMAGE_SIZE)):
        drawn = pipeline(
            case.prompt,
            image=picture.crop(patch.window),
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            max_sequence_length=MAX_TOKENS,
            generator=noise,
        ).images[0]
        picture = pasted(picture, patch, drawn)
    return picture


def sharpness(picture: Image.Image) -> float:
    """Mean difference between neighbouring pixels."""
    values = np.asarray(picture, dtype=np.float32)
    return float(sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))


def measured(cases: list[Case], made: list[Image.Image]) -> dict[str, float]:
    """Means over the scenes: PSNR in dB and SSIM against the scene drawn large, and how sharp it is beside that one."""
    pairs = [(np.asarray(case.large), np.asarray(picture)) for case, picture in zip(cases, made, strict=True)]
    return {
        "psnr": round(float(np.mean([peak_signal_noise_ratio(*pair) for pair in pairs])), 2),
        "ssim": round(float(np.mean([structural_similarity(*pair, channel_axis=2) for pair in pairs])), 4),
        "sharpness": round(
            float(np.mean([sharpness(b) / sharpness(a.large) for a, b in zip(cases, made, strict=True)])), 3
        ),
    }


def evaluate(weights: Path) -> tuple[dict[str, Any], list[list[Image.Image]]]:
    """The report, and the rows of the comparison."""
    pipeline = StableDiffusion3Img2ImgPipeline.from_pretrained(CHECKPOINT, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    cases = draw_cases()
    report, shown = {"enlarged only": measured(cases, [case.begun for case in cases])}, []
    for name in ("without", "with"):
        if name == "with":
            pipeline.load_lora_weights(str(weights), weight_name=NAME)
        for strength in STRENGTHS:
            made = [drawn_over(pipeline, case, strength) for case in cases]
            report[f"{name}, strength {strength:g}"] = measured(cases, made)
            log.info("%s, strength %g: %s", name, strength, report[f"{name}, strength {strength:g}"])
            if strength == SHOWN:
                shown.append(made)
    rows = [[case.begun, *(made[row] for made in shown), case.large] for row, case in enumerate(cases[:_ROWS])]
    return report, rows


def comparison(rows: list[list[Image.Image]], path: Path) -> None:
    """A JPEG: enlarged, drawn over without the LoRA and with it, and the scene drawn large."""
    titles = ("enlarged", "drawn over without", "drawn over with", "drawn large")
    side = rows[0][0].width + 4
    sheet = Image.new("RGB", (len(titles) * side, len(rows) * side + 16), "white")
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        pen.text((column * side + 2, 2), title, fill="black")
        for row, pictures in enumerate(rows):
            sheet.paste(pictures[column], (column * side, row * side + 16))
    sheet.reduce(2).save(path, quality=88)


def main() -> None:
    """Evaluate and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=HERE, help="folder of the LoRA, to which the report is written")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    report, rows = evaluate(options.weights)
    (options.weights / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    comparison(rows, options.weights / "comparison.jpg")


if __name__ == "__main__":
    main()
