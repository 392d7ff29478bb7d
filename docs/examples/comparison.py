"""One wish at six settings, on one labelled sheet that can be made again from its file."""

from __future__ import annotations

from pathlib import Path

from pipeline import Axis, Comparison, GenerationRequest, Studio


def main(studio: Studio) -> None:
    comparison = Comparison(
        base=GenerationRequest(prompt="a red house by a lake", seed=3),
        columns=Axis(field="num_inference_steps", values=(4, 8, 16)),
        rows=Axis(field="guidance_scale", values=(1.5, 4.5)),
    )
    state = studio.comparisons.start(comparison)
    for cell in state.cells:
        studio.job(cell.job.id).result()
    Path("sheet.png").write_bytes(studio.comparisons.sheet(state.id))
    print(f"sheet.png: {len(state.cells)} pictures")


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
