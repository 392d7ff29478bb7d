"""Three stages in one job: a draft, drawn over, then twice as large. Each can have a model of its own."""

from __future__ import annotations

from pipeline import GenerationRequest, Stage, Studio, Upscale


def main(studio: Studio) -> None:
    request = GenerationRequest(
        prompt="a mill by a river",
        seed=11,
        then=(
            Stage(strength=0.5, prompt="a mill by a river in autumn"),  # another model: model="sdxl"
            Stage(strength=0, upscale=Upscale(factor=2)),
        ),
    )
    studio.check(request)  # raises what speaks against it; `submit` does that too
    for image in studio.submit(request).result():
        print(f"{image.path}: {image.recipe.width} × {image.recipe.height}")


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
