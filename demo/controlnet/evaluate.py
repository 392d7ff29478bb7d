"""Measures the ControlNet: `python -m demo.controlnet.evaluate`.

Draws scenes that training never saw, half of them combinations that the checkpoint never saw either, and has them drawn
again from their edges: with the net and without, from the same words and seeds. Writes `evaluation.json` and
`contact-sheet.jpg` beside this file.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import SD3ControlNetModel, StableDiffusion3ControlNetPipeline
from PIL import Image, ImageDraw, ImageOps
from scipy.ndimage import binary_dilation

from demo.captions import plain_prompt
from demo.controlnet.pairs import CHECKPOINT, mirrored
from demo.drawing import render
from demo.scenes import Scene, sample_scene
from demo.text import MAX_TOKENS
from pipeline.pictures.edges import canny

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
SCENES = 16
STEPS, GUIDANCE = 28, 3.5
BATCH = 8
REACH = 2
"""Pixels by which edges are widened before they are compared."""
VAGUE = "a picture"
"""Words that say nothing of the scene."""


@dataclass(frozen=True)
class Case:
    """A scene, its words, its picture, the edges to follow, and the seed to draw it with."""

    scene: Scene
    prompt: str
    picture: Image.Image
    edges: Image.Image
    seed: int


@dataclass(frozen=True)
class Setting:
    """How the net takes part."""

    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0


WITHOUT = Setting(scale=0.0)
SETTINGS = {
    "without": WITHOUT, "scale 0.5": Setting(0.5), "scale 1.0": Setting(), "scale 1.5": Setting(1.5),
    "first quarter": Setting(end=0.25), "first half": Setting(end=0.5), "last half": Setting(start=0.5),
}  # fmt: skip


def draw_cases(count: int = SCENES, *, flipped: bool = False) -> list[Case]:
    """Seeded scenes, combinations that nobody saw in every second one; `flipped` ones are mirror images."""
    rng, cases = random.Random(4711), []
    for index in range(count):
        scene = sample_scene(rng, held_out=index % 2 == 1)
        picture = render(scene)[0]
        if flipped:
            scene, picture = mirrored(scene), ImageOps.mirror(picture)
        cases.append(Case(scene, plain_prompt(scene), picture, canny(picture), index))
    return cases


def load_pipeline(weights: Path = HERE) -> StableDiffusion3ControlNetPipeline:
    """The checkpoint with the net, in float32."""
    net = SD3ControlNetModel.from_pretrained(weights, dtype=torch.float32)
    pipeline = StableDiffusion3ControlNetPipeline.from_pretrained(CHECKPOINT, controlnet=net, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(
    pipeline: StableDiffusion3ControlNetPipeline,
    cases: Sequence[Case],
    setting: Setting,
    *,
    words: str | None = None,
    steps: int = STEPS,
) -> list[Image.Image]:
    """A picture of each case; `words` instead of its own prompt, if given."""
    pictures: list[Image.Image] = []
    for first in range(0, len(cases), BATCH):
        part = cases[first : first + BATCH]
        torch.manual_seed(first)  # the pipeline draws around the latents of the map
        pictures += pipeline(
            [case.prompt if words is None else words for case in part],
            control_image=[case.edges for case in part],
            controlnet_conditioning_scale=setting.scale,
            control_guidance_start=setting.start,
            control_guidance_end=setting.end,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            max_sequence_length=MAX_TOKENS,
            generator=[torch.Generator().manual_seed(case.seed) for case in part],
        ).images
    return pictures


def edge_iou(picture: Image.Image, edges: Image.Image) -> float:
    """Overlap of the picture's own edges with `edges`, 0 to 1: both widened by `REACH` pixels, the part that they share
    of the part that either covers."""
    one, other = (_widened(found) for found in (canny(picture), edges))
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 1.0


def _widened(edges: Image.Image) -> np.ndarray:
    side = 2 * REACH + 1
    found: np.ndarray = binary_dilation(np.asarray(edges.convert("L")) > 127, np.ones((side, side), dtype=bool))
    return found


def mean_iou(pictures: Sequence[Image.Image], cases: Sequence[Case]) -> float:
    """`edge_iou` over all cases."""
    return float(np.mean([edge_iou(picture, case.edges) for picture, case in zip(pictures, cases, strict=True)]))


@torch.no_grad()
def round_trip(pipeline: StableDiffusion3ControlNetPipeline, picture: Image.Image) -> Image.Image:
    """A picture after the autoencoder, which is the best that can be drawn."""
    latents = pipeline.vae.encode(pipeline.image_processor.preprocess(picture)).latent_dist.mode()
    drawn: list[Image.Image] = pipeline.image_processor.postprocess(pipeline.vae.decode(latents).sample)
    return drawn[0]


def contact_sheet(rows: Sequence[tuple[Case, Image.Image, Image.Image]], path: Path, columns: int = 4) -> None:
    """A JPEG of edges, picture with the net and picture without, with the scene that the edges are of above."""
    side, line = 150, 14
    width, height = 3 * side + 12, side + line + 4
    sheet = Image.new("RGB", (columns * width, -(-len(rows) // columns) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (case, guided, free) in enumerate(rows):
        x, y = (index % columns) * width, (index // columns) * height
        pen.text((x + 2, y), case.prompt[:72], fill="black")
        for place, picture in enumerate((case.edges, guided, free)):
            small = picture.resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (x + place * (side + 2), y + line))
    sheet.save(path, quality=80)


def evaluate() -> dict[str, Any]:
    """All measurements."""
    pipeline, cases, flipped = load_pipeline(), draw_cases(), draw_cases(flipped=True)
    report: dict[str, Any] = {
        "settings": {"steps": STEPS, "guidance": GUIDANCE, "reach": REACH, "scenes": len(cases), "vague": VAGUE},
        "ceiling": mean_iou([round_trip(pipeline, case.picture) for case in cases], cases),
    }
    for name, setting in SETTINGS.items():
        drawn = draw(pipeline, cases, setting)
        report[name] = {"scene": mean_iou(drawn, cases), **_halves(drawn, cases)}
        log.info("%s %s", name, report[name])
    vague = {}
    for name in ("without", "scale 1.0"):
        vague[name] = draw(pipeline, cases, SETTINGS[name], words=VAGUE)
        report[name]["vague"] = mean_iou(vague[name], cases)
        report[name]["flipped"] = mean_iou(draw(pipeline, flipped, SETTINGS[name]), flipped)
        log.info("%s %s", name, report[name])
    rows = list(zip(cases, vague["scale 1.0"], vague["without"], strict=True))
    contact_sheet(rows, HERE / "contact-sheet.jpg")
    return report


def _halves(pictures: Sequence[Image.Image], cases: Sequence[Case]) -> dict[str, float]:
    """The combinations that the checkpoint saw, and those that it did not."""
    return {"seen": mean_iou(pictures[::2], cases[::2]), "unseen": mean_iou(pictures[1::2], cases[1::2])}


def main() -> None:
    """Evaluate and write the report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    (HERE / "evaluation.json").write_text(json.dumps(evaluate(), indent=2) + "\n")


if __name__ == "__main__":
    main()
