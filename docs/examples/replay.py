"""The recipe out of a picture's file, and the same picture made again from nothing else."""

from __future__ import annotations

from pathlib import Path

from pipeline import Studio, read_recipe, verify


def make_again(studio: Studio, file: Path) -> None:
    recipe = read_recipe(file)
    if recipe is None:
        print(f"{file} carries no recipe.")
        return
    print(f"“{recipe.prompt}”, seed {recipe.seed}, {recipe.model}. {verify(file).sentence}")
    [image] = studio.replay(recipe).result()
    same = image.recipe.sha256 == recipe.sha256
    print("Made again, pixel by pixel." if same else "Made again, but not pixel by pixel: compare the recipes.")


def main(studio: Studio) -> None:
    [image] = studio.generate("a tree in the fog")
    if image.path is not None:
        make_again(studio, image.path)


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
