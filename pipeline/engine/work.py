"""What a request has the pipelines do: the picture to begin with, and each call with its window, size and strength.

words alone           one call, no picture
image to image        one call on the whole picture, at the size at which the model works
inpaint, outpaint     one call for each patch, in its window, behind its mask
hires fix             further calls over the enlarged picture, window by window
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image

from pipeline.inputs import Task
from pipeline.models.extent import asked_size, drawn_at_once, drawn_size, window_in
from pipeline.models.registry import ModelRecord
from pipeline.models.size import SizeRule
from pipeline.pictures.fit import Size, fitted, native_size, nearest_size
from pipeline.pictures.patches import Patch, canvas_of, margins_drawn, masked_part, tiles, whole
from pipeline.pictures.store import InputStore
from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a pipeline."""

    task: Task
    size: Size
    """At which the model works, in pixels."""
    strength: float = 1.0
    """Part of the steps that are run."""
    patch: Patch | None = None
    """Where in the picture; None for all of it."""
    guided: bool = True
    """Whether the request's maps are followed."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that one picture takes."""

    picture: Image.Image | None
    """What is begun with; None for words alone."""
    calls: tuple[Call, ...]
    refining: tuple[Call, ...] = ()
    """What is called after the enlargement."""

    @property
    def drawn(self) -> Size:
        """The size of the picture before it is enlarged."""
        return self.picture.size if self.picture and self.calls[-1].patch else self.calls[-1].size


def work_of(request: GenerationRequest, record: ModelRecord, inputs: InputStore) -> Work:
    """What `request` takes with the model of `record`. Raises `NotFound` when a picture is not in `inputs` any more."""
    picture, calls = _drawing(request, record, inputs)
    work, upscale = Work(picture, calls), request.upscale
    if upscale is None or not upscale.strength:
        return work
    width, height = work.drawn
    size = width * upscale.factor, height * upscale.factor
    return replace(work, refining=tuple(_refining(size, record.size, upscale.strength)))


def _drawing(
    request: GenerationRequest, record: ModelRecord, inputs: InputStore
) -> tuple[Image.Image | None, tuple[Call, ...]]:
    rule, strength = record.size, request.used_strength
    asked, size = asked_size(request, rule), drawn_size(request, rule)
    if request.image is None:
        return None, (Call("text", size),)
    image = inputs.get(request.image)
    if request.outpaint is not None:
        canvas = canvas_of(image, request.outpaint)
        patches = margins_drawn(image.size, request.outpaint, window_in(canvas.size, rule))
        return canvas, tuple(_inpainting(patch, asked, rule, strength) for patch in patches)
    if request.mask is not None and request.mask_area == "masked":
        patch, size = _closely(inputs.get(request.mask), request.mask_feather, asked, rule)
        return image, (Call("inpaint", size, strength, patch),)
    picture = fitted(image, size, request.fit)
    if request.mask is None:
        return picture, (Call("image", size, strength),)
    mask = fitted(inputs.get(request.mask), size, request.fit)
    return picture, (Call("inpaint", size, strength, whole(mask, request.mask_feather)),)


def _inpainting(patch: Patch, asked: Size | None, rule: SizeRule, strength: float) -> Call:
    return Call("inpaint", asked or nearest_size(patch.size, rule), strength, patch)


def _closely(mask: Image.Image, feather: int, asked: Size | None, rule: SizeRule) -> tuple[Patch, Size]:
    """The window around the masked part, and the size at which it is drawn: with all the pixels that the model has.

    A recipe names that size, and asking for it means the same window again.
    """
    patch = masked_part(mask, feather, rule.native)
    size = native_size(patch.size, rule)
    if asked is None or asked == size:
        return patch, size
    return masked_part(mask, feather, asked), asked


def _refining(size: Size, rule: SizeRule, strength: float) -> Iterator[Call]:
    """Calls that draw over a picture of `size`: one if the model makes that size, else one for each window. They follow
    the picture alone, which followed the maps: few models have pipelines that follow both."""
    if drawn_at_once(size, rule):
        yield Call("image", size, strength, guided=False)
        return
    for patch in tiles(size, rule.native):
        yield Call("image", nearest_size(patch.size, rule), strength, patch, guided=False)
