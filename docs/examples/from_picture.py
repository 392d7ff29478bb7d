"""A picture from another one: changed as a whole, then only inside a mask."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw

from pipeline import Studio


def main(studio: Studio) -> None:
    [first] = studio.generate("a green hill under a blue sky", seed=7)
    [winter] = studio.generate("a white hill in winter", image=first, strength=0.6, seed=7)
    print(f"Changed as a whole: {winter.path}")

    width, height = first.open().size
    mask = Image.new("L", (width, height), "black")  # black stays, white is drawn anew
    ImageDraw.Draw(mask).ellipse((width // 4, height // 4, width // 2, height // 2), fill="white")
    [house] = studio.generate("a red house", image=first, mask=mask, seed=7)

    changed = ImageChops.difference(first.open(), house.open()).getbbox()
    print(f"Changed inside the mask: {house.path}, nothing outside {changed}")


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
