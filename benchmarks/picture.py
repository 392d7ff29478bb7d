"""Seconds for one picture of the demo model at its defaults, once it is loaded.

.venv/bin/python -m benchmarks.picture
"""

from __future__ import annotations

import time

from benchmarks.measure import MODEL, PROMPT, empty_outputs, middle, table
from pipeline.studio import Studio

RUNS = 10


def main() -> None:
    """Warm up with one picture, then time the others from the request to the saved file."""
    whole, inside = [], []
    with empty_outputs() as settings, Studio(settings) as studio:
        [image] = studio.generate(PROMPT, model=MODEL, seed=0)
        for seed in range(1, RUNS + 1):
            begun = time.perf_counter()
            [image] = studio.generate(PROMPT, model=MODEL, seed=seed)
            whole.append(time.perf_counter() - begun)
            inside.append(image.recipe.seconds)
    recipe = image.recipe
    rows = [
        ("seconds from request to saved file", middle(whole), "≤ 1.5 on 2 cores"),
        ("of which denoising and decoding", middle(inside), ""),
    ]
    table(f"One picture: {recipe.width} × {recipe.height}, {recipe.num_inference_steps} steps", rows)


if __name__ == "__main__":
    main()
