"""Enlarges pictures: finished ones, and with no model at all those that people bring along."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from time import perf_counter

from PIL import Image

from pipeline.engine.wish import Wish
from pipeline.errors import InvalidRequest
from pipeline.events import Picture
from pipeline.inputs import Upscale
from pipeline.models.registry import ModelRecord
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest, Recipe


def enlarged(picture: Image.Image, wish: Upscale) -> Image.Image:
    """`picture`, `wish.factor` times as wide and as high."""
    size = picture.width * wish.factor, picture.height * wish.factor
    return picture.resize(size, Image.Resampling.LANCZOS)


def enlargements(
    request: GenerationRequest,
    record: ModelRecord,
    indices: Sequence[int],
    versions: dict[str, str],
    device: str,
    inputs: InputStore,
) -> Iterator[Picture]:
    """The picture that `request` brings along, enlarged. Raises `NotFound` when it is not in `inputs` any more."""
    if request.image is None or request.upscale is None:
        raise InvalidRequest("There is nothing to enlarge.", "Give an image and how it is enlarged.", field="image")
    begun = perf_counter()
    picture = inputs.get(request.image).convert("RGB")
    made = enlarged(picture, request.upscale)
    wish = Wish.of(request, record)
    for index in indices:
        recipe = Recipe(
            prompt=wish.prompt,
            model=record.id,
            model_revision="",
            num_inference_steps=wish.steps,
            guidance_scale=wish.guidance,
            width=made.width,
            height=made.height,
            seed=request.seed + index,
            scheduler="",
            scheduler_config={},
            quantization="none",
            offload="none",
            image=request.image,
            strength=0.0,
            upscale=request.upscale,
            work_size=None,
            dtype="uint8",
            device=device,
            versions=versions,
            seconds=perf_counter() - begun,
            sha256=hashlib.sha256(made.tobytes()).hexdigest(),
        )
        yield Picture(index=index, rgb=made.tobytes(), recipe=recipe)
