"""What the studio adds to a picture: the same picture by the studio and by plain diffusers, in turns.

    .venv/bin/python -m benchmarks.end_to_end

Both are warm. The studio's time runs from the request to the saved file: queue, worker process, events, previews,
PNG and index included. The plain call's time is the pipeline's call alone, without saving. The two take turns, and
each pair gives one ratio, so that a slow spell of the machine meets both. The plain call gets the studio's patient
threads too: with torch's own, which spin, it would lose most of its time to the idle worker beside it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import torch
from diffusers import StableDiffusion3Pipeline

from benchmarks.measure import MODEL, PROMPT, empty_outputs, middle, table
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio

PAIRS = 40


def plain(record: ModelRecord) -> Callable[[int], str]:
    """A function that makes the picture of a seed as a short script would, and gives the SHA-256 of its pixels."""
    pipe = StableDiffusion3Pipeline.from_pretrained(record.local, dtype=getattr(torch, record.dtype))
    pipe.set_progress_bar_config(disable=True)
    if torch.cuda.is_available():
        pipe.to("cuda")

    def picture(seed: int) -> str:
        image = pipe(
            PROMPT,
            num_inference_steps=record.steps.default,
            guidance_scale=record.guidance.default,
            width=record.size.native[0],
            height=record.size.native[1],
            generator=torch.Generator("cpu").manual_seed(seed),
            **record.arguments,
        ).images[0]
        return hashlib.sha256(image.tobytes()).hexdigest()

    return picture


def seconds(work: Callable[[int], str], seed: int) -> tuple[float, str]:
    """How long `work(seed)` took, and what it gave."""
    begun = time.perf_counter()
    result = work(seed)
    return time.perf_counter() - begun, result


def main() -> None:
    """Take turns, the first of each pair alternating too."""
    ratios, alone, same = [], [], True
    with empty_outputs() as settings, Studio(settings) as studio:

        def ours(seed: int) -> str:
            return studio.generate(PROMPT, model=MODEL, seed=seed)[0].recipe.sha256

        ways = [ours, plain(studio.models.find(MODEL))]
        for way in ways:
            way(0)
        for seed in range(1, PAIRS + 1):
            order = (0, 1) if seed % 2 else (1, 0)
            times = {place: seconds(ways[place], seed) for place in order}
            ratios.append(times[0][0] / times[1][0])
            alone.append(times[1][0])
            same &= times[0][1] == times[1][1]
    rows = [
        ("studio ÷ plain diffusers", middle(ratios, 3), "≤ 1.05"),
        ("plain diffusers, seconds", middle(alone), ""),
        ("seconds that the studio adds", f"{(median(ratios) - 1) * median(alone):.3f}", ""),
        ("same pixels", "yes" if same else "no", "yes"),
    ]
    table("End to end", rows)


if __name__ == "__main__":
    main()
