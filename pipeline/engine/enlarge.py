"""Enlarges pictures: finished ones, and with no model at all those that people bring along."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from PIL import Image

from pipeline.engine.extras import sha256_of
from pipeline.engine.upscale import tiles_of, upscale
from pipeline.engine.watch import Watch
from pipeline.engine.wish import Wish
from pipeline.errors import InvalidRequest
from pipeline.events import Picture
from pipeline.models.own.shelf import Shelf
from pipeline.models.registry import ModelRecord
from pipeline.models.upscalers import Upscaler, find_upscaler
from pipeline.pictures.fit import Size
from pipeline.pictures.store import InputStore
from pipeline.recipe import FileUse, Recipe
from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Enlarger:
    """How a request enlarges its pictures."""

    upscaler: Upscaler
    factor: int
    device: str
    """On which a network computes, as torch names it."""

    @classmethod
    def of(cls, request: GenerationRequest, shelf: Shelf, device: str) -> Enlarger | None:
        """None when nothing is enlarged. Raises `NotFound`, and `InvalidRequest` for a file that cannot be used."""
        wish = request.upscale
        return None if wish is None else cls(find_upscaler(wish.upscaler, shelf), wish.factor, device)

    def tiles(self, size: Size) -> int:
        """How many steps it takes to enlarge a picture of `size`; 0 where no network does it."""
        return tiles_of(size, self.upscaler)

    def enlarged(self, picture: Image.Image, watch: Watch, rest: int = 0) -> Image.Image:
        """`picture`, larger; after that calls of pipelines will take `rest` steps. Raises `GenerationCancelled`."""
        report = partial(watch.tile, rest=rest)
        return upscale(picture, self.factor, self.upscaler, device=self.device, report=report)

    @property
    def used(self) -> FileUse | None:
        """The network's file, as recipes say it."""
        path = self.upscaler.path
        return None if path is None else FileUse(name=self.upscaler.name, sha256=sha256_of(path))


def enlargements(
    request: GenerationRequest,
    record: ModelRecord,
    indices: Sequence[int],
    versions: dict[str, str],
    label: str,
    enlarger: Enlarger | None,
    inputs: InputStore,
    watch: Watch,
) -> Iterator[Picture]:
    """The picture that `request` brings along, enlarged on the device that recipes call `label`. Raises `NotFound`
    when it is not in `inputs` any more, and `GenerationCancelled`."""
    if request.image is None or enlarger is None:
        raise InvalidRequest("There is nothing to enlarge.", "Give an image and how it is enlarged.", field="image")
    begun = perf_counter()
    watch.begin()
    made = enlarger.enlarged(inputs.get(request.image).convert("RGB"), watch)
    rgb = made.tobytes()
    wish, used = Wish.of(request, record), enlarger.used
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
            upscaler=used,
            work_size=None,
            dtype="float32" if used else "uint8",
            device=label,
            versions=versions,
            seconds=perf_counter() - begun,
            sha256=hashlib.sha256(rgb).hexdigest(),
        )
        yield Picture(index=index, rgb=rgb, recipe=recipe)
