"""Measures the demo checkpoint: `python -m demo.evaluate --work runs/demo`.

Draws prompts (half of them ask for combinations that training never saw), generates their pictures with the
stock pipeline, and lets the judge compare what it sees with what the prompt says. Writes
`demo/evaluation.json` and `demo/contact-sheet.jpg`.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import BitsAndBytesConfig, SD3Transformer2DModel, StableDiffusion3Pipeline
from diffusers.quantizers import auto as diffusers_quantizers
from diffusers.quantizers.bitsandbytes import BnB4BitDiffusersQuantizer
from PIL import Image, ImageDraw
from transformers import BitsAndBytesConfig as TransformersBitsAndBytesConfig
from transformers import T5EncoderModel

from demo.captions import full_prompt, plain_prompt
from demo.judge import Judge, answers, ceiling, judge_targets, train_judge
from demo.scenes import Scene, sample_scene
from demo.text import MAX_TOKENS
from demo.transformer import IGNORE

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
CHECKPOINT = HERE / "checkpoint"
PROMPTS = 320
SWEEP_PROMPTS = 48
STEPS, GUIDANCE = 28, 3.5
GUIDANCES = (1.0, 2.0, 4.5, 7.0)
STEP_COUNTS = (4, 8, 16, 40)
BATCH = 16
ATTRIBUTES = ("thing", "colour", "terrain", "time", "weather", "style", "place")


@dataclass(frozen=True)
class Prompt:
    """A prompt with the scene it describes."""

    text: str
    scene: Scene
    unseen: bool
    long: bool
    seed: int


def draw_prompts(count: int = PROMPTS) -> list[Prompt]:
    """Seeded prompts: short and long ones in turn, held-out combinations in every second pair."""
    rng = random.Random(2024)
    prompts = []
    for index in range(count):
        unseen, long = index % 4 >= 2, index % 2 == 1
        scene = sample_scene(rng, held_out=unseen)
        text = full_prompt(rng, scene) if long else plain_prompt(scene)
        prompts.append(Prompt(text, scene, unseen, long, index))
    return prompts


class CpuBnb4BitQuantizer(BnB4BitDiffusersQuantizer):  # type: ignore[misc]  # types of diffusers are not read
    """The stock NF4 quantizer of diffusers, without its demand for a GPU; bitsandbytes itself runs on CPUs."""

    def validate_environment(self, *args: object, **kwargs: object) -> None:
        """Accept a machine without a GPU."""

    def update_device_map(self, device_map: object) -> dict[str, str]:
        """Put everything on the CPU."""
        return {"": "cpu"}


def load_pipeline(dtype: torch.dtype, *, nf4: bool = False, folder: Path = CHECKPOINT) -> StableDiffusion3Pipeline:
    """The checkpoint as the studio loads it, optionally with transformer and T5 in four bits."""
    if not nf4:
        pipeline = StableDiffusion3Pipeline.from_pretrained(folder, dtype=dtype)
    else:
        diffusers_quantizers.AUTO_QUANTIZER_MAPPING["bitsandbytes_4bit"] = CpuBnb4BitQuantizer
        options = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        transformer = SD3Transformer2DModel.from_pretrained(
            folder, subfolder="transformer", quantization_config=BitsAndBytesConfig(**options), dtype=dtype
        )
        t5 = T5EncoderModel.from_pretrained(
            folder, subfolder="text_encoder_3", quantization_config=TransformersBitsAndBytesConfig(**options),
            dtype=dtype, device_map={"": "cpu"},
        )  # fmt: skip
        pipeline = StableDiffusion3Pipeline.from_pretrained(
            folder, transformer=transformer, text_encoder_3=t5, dtype=dtype
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline: StableDiffusion3Pipeline, prompts: list[Prompt], steps: int, guidance: float) -> np.ndarray:
    """One picture per prompt, (N, 256, 256, 3) in 0..255."""
    pictures = []
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        generators = [torch.Generator().manual_seed(prompt.seed) for prompt in part]
        pictures.append(pipeline(
            [prompt.text for prompt in part], num_inference_steps=steps, guidance_scale=guidance,
            max_sequence_length=MAX_TOKENS, generator=generators, output_type="np",
        ).images)  # fmt: skip
    return (np.concatenate(pictures) * 255).round().astype(np.uint8)


def _asked(prompts: list[Prompt]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in judge_targets([p.scene for p in prompts]).items() if name in ATTRIBUTES}


def score(judge: Judge, prompts: list[Prompt], pictures: np.ndarray) -> dict[str, object]:
    """Adherence per attribute, overall and per group, and the share of doubled pictures."""
    found, targets = answers(judge, pictures), _asked(prompts)
    asked = torch.stack([targets[name] != IGNORE for name in ATTRIBUTES])
    right = torch.stack([found[name] == targets[name] for name in ATTRIBUTES])
    doubled = (found["things"] > 1) | (found["lights"] > 1)

    def share(rows: torch.Tensor) -> float:
        return (right & asked)[:, rows].sum().item() / max(1, asked[:, rows].sum().item())

    groups = {
        "seen": torch.tensor([not p.unseen for p in prompts]), "unseen": torch.tensor([p.unseen for p in prompts]),
        "short": torch.tensor([not p.long for p in prompts]), "long": torch.tensor([p.long for p in prompts]),
    }  # fmt: skip
    result: dict[str, object] = {
        name: (right[k] & asked[k]).sum().item() / max(1, asked[k].sum().item()) for k, name in enumerate(ATTRIBUTES)
    }
    result |= {"all": share(torch.ones(len(prompts), dtype=torch.bool))}
    result |= {name: share(rows) for name, rows in groups.items()}
    result |= {"whole_prompt": (right | ~asked).all(0).float().mean().item(), "doubled": doubled.float().mean().item()}
    result["pictures"] = len(prompts)
    return result


def mean_psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Mean peak signal-to-noise ratio in dB between two sets of pictures."""
    error = ((a.astype(np.float32) - b.astype(np.float32)) / 255) ** 2
    return float((-10 * np.log10(error.mean(axis=(1, 2, 3)) + 1e-10)).mean())


def seconds_per_picture(pipeline: StableDiffusion3Pipeline) -> float:
    """Median time of one picture at the default settings, one at a time, after a warm-up."""
    times = []
    for _ in range(4):
        began = time.perf_counter()
        generate(pipeline, draw_prompts(1), STEPS, GUIDANCE)
        times.append(time.perf_counter() - began)
    return sorted(times[1:])[1]


def contact_sheet(prompts: list[Prompt], pictures: np.ndarray, path: Path, columns: int = 8, rows: int = 5) -> None:
    """A JPEG of the first pictures with their prompts."""
    side, line = 192, 26
    sheet = Image.new("RGB", (columns * (side + 4), rows * (side + line + 4)), "white")
    pen = ImageDraw.Draw(sheet)
    for index in range(min(len(prompts), columns * rows)):
        x, y = (index % columns) * (side + 4), (index // columns) * (side + line + 4)
        sheet.paste(Image.fromarray(pictures[index]).resize((side, side), Image.Resampling.LANCZOS), (x, y + line))
        pen.text((x + 2, y), "\n".join(textwrap.wrap(prompts[index].text, 34)[:2]), fill="black", spacing=0)
    sheet.save(path, quality=84)


def evaluate(work: Path) -> dict[str, object]:
    """All measurements. `work` keeps the judge and its scenes."""
    prompts = draw_prompts()
    plain = load_pipeline(torch.float32)
    judge = train_judge(work, plain.vae)
    report: dict[str, object] = {
        "settings": {"steps": STEPS, "guidance": GUIDANCE, "size": 256, "max_sequence_length": MAX_TOKENS},
        "ceiling_renders": ceiling(judge, work),
        "ceiling_reconstructions": ceiling(judge, work, plain.vae),
    }
    log.info("ceiling %s", report["ceiling_renders"])
    reference = generate(plain, prompts, STEPS, GUIDANCE)
    contact_sheet(prompts, reference, HERE / "contact-sheet.jpg")
    report["fp32"] = score(judge, prompts, reference) | {"seconds_per_picture": seconds_per_picture(plain)}
    log.info("fp32 %s", report["fp32"])
    for name, pipeline in (("bf16", load_pipeline(torch.bfloat16)), ("nf4", load_pipeline(torch.float32, nf4=True))):
        pictures = generate(pipeline, prompts, STEPS, GUIDANCE)
        report[name] = score(judge, prompts, pictures) | {
            "psnr_to_fp32": mean_psnr(pictures, reference),
            "seconds_per_picture": seconds_per_picture(pipeline),
        }
        log.info("%s %s", name, report[name])
    some = prompts[:SWEEP_PROMPTS]
    report["guidance"] = {
        str(g): _sweep_point(judge, some, generate(plain, some, STEPS, g), reference) for g in GUIDANCES
    }
    report["steps"] = {
        str(s): _sweep_point(judge, some, generate(plain, some, s, GUIDANCE), reference) for s in STEP_COUNTS
    }
    return report


def _sweep_point(judge: Judge, prompts: list[Prompt], pictures: np.ndarray, reference: np.ndarray) -> dict[str, object]:
    result = score(judge, prompts, pictures)
    kept = {name: result[name] for name in ("all", "whole_prompt", "doubled")}
    return kept | {"psnr_to_default": mean_psnr(pictures, reference[: len(prompts)])}


def main() -> None:
    """Evaluate and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the judge and its scenes")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.work.mkdir(parents=True, exist_ok=True)
    report = evaluate(options.work)
    (HERE / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
