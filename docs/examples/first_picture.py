"""A picture from words, with a seed that makes it again."""

from __future__ import annotations

from pipeline import Studio


def main(studio: Studio) -> None:
    [image] = studio.generate("a red house by a lake at dusk", seed=42)
    print(f"{image.path}: seed {image.seed}, {image.recipe.num_inference_steps} steps of {image.recipe.model}")


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
