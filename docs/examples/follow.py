"""Two pictures, followed step by step in an event loop; other things can be done meanwhile."""

from __future__ import annotations

import asyncio

from pipeline import GenerationRequest, Saved, Step, Studio, Warned


async def main(studio: Studio) -> None:
    job = studio.submit(GenerationRequest(prompt="a lighthouse in a storm", num_images=2))
    async for event in job.events():
        match event:
            case Step(image_index=index, step=step, total=total, seconds_left=left):
                rest = "" if left is None else f", {left:.0f} s left"
                print(f"Picture {index + 1}: step {step} of {total}{rest}")
            case Saved(image=image):
                print(f"Picture {image.index + 1}: {image.path}")
            case Warned(message=message):
                print(message)
    images = await job  # the job's own error, had it failed
    print(f"{len(images)} pictures, seeds {[image.seed for image in images]}")


if __name__ == "__main__":
    with Studio() as studio:
        asyncio.run(main(studio))
