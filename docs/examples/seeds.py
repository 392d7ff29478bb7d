"""The same words with four seeds, beside each other in one picture."""

from __future__ import annotations

from PIL import Image

from pipeline import Studio


def main(studio: Studio) -> None:
    images = studio.generate("a yellow boat on a calm sea", seed=1, num_images=4)
    width, height = images[0].open().size
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for place, image in enumerate(images):
        sheet.paste(image.open(), (place % 2 * width, place // 2 * height))
    sheet.save("seeds.png")
    print(f"seeds.png: {', '.join(str(image.seed) for image in images)}, from the left and the top")


if __name__ == "__main__":
    with Studio() as studio:
        main(studio)
