"""Turns a request into pictures with a loaded pipeline, one at a time.

What holds about determinism: picture *i* has its own generator, seeded `seed + i` and drawn on the CPU, a fresh
scheduler and a batch of one. So with the same recipe (model revision, versions, device, dtype, quantisation, number of
threads) its bytes do not depend on `num_images`, on the order, or on what ran before, and a new process makes the same.
The same holds of variations, which have two generators, seeded `seed` and `variation_seed + i`. Another device or
version gives a picture that looks the same, but not the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from pipeline.engine.brush import Brush
from pipeline.engine.control import followed, used
from pipeline.engine.enlarge import Enlarger
from pipeline.engine.extras import Used, applied, detail_used, detailed
from pipeline.engine.load import Emit, Loaded
from pipeline.engine.noise import generator_of
from pipeline.engine.pace import Pace
from pipeline.engine.prompts import encoded
from pipeline.engine.schedulers import scheduler_class
from pipeline.engine.watch import Watch
from pipeline.engine.wish import Wish
from pipeline.engine.work import Call, Work, work_of
from pipeline.errors import EngineFailed
from pipeline.events import Picture, Warned
from pipeline.models import emphasis
from pipeline.models.own.shelf import Shelf
from pipeline.pictures.fit import Size
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest

_SHOWN = 60
"""Characters of the cut-off part of a prompt that a warning quotes."""
_BLANKED = "The model's safety checker took the picture of seed {seed} for unsafe and blanked it; it is not kept."


@dataclass(frozen=True, slots=True)
class Stores:
    """Where files lie that a request names."""

    shelf: Shelf
    inputs: InputStore


def pictures(
    loaded: Loaded,
    request: GenerationRequest,
    indices: Sequence[int],
    emit: Emit,
    cancelled: Callable[[], bool],
    versions: dict[str, str],
    load_seconds: float,
    stores: Stores,
) -> Iterator[Picture]:
    """Yield picture *i* for each of `indices`; what `request` names comes from `stores`. Recipes tell `versions`, and
    that it took `load_seconds` to load the model for them.

    A picture that the model's safety checker blanks is left out and said so. Raises `InvalidRequest` for an unknown
    scheduler and for files that do not fit, `EngineFailed` when every picture was blanked, `GenerationCancelled`
    between steps, and what the libraries raise.
    """
    wish, work = Wish.of(request, loaded.record), work_of(request, loaded.record, stores.inputs)
    enlarger = Enlarger.of(request, stores.shelf, loaded.placement.device)
    scheduler = scheduler_class(loaded.record, loaded.scheduler, request.scheduler)
    if warning := cut_off(loaded, wish.prompt):
        emit(Warned(message=warning))
    with (
        applied(loaded.pipeline, loaded.record, request, stores.shelf) as extras,
        followed(loaded, request, stores.shelf.folder, stores.inputs) as guided,
    ):
        brush = Brush(loaded, wish, scheduler, _prompts(loaded, wish, emit), guided, request.fit)
        job = _Job(request, brush, work, enlarger, extras, versions, load_seconds)
        yield from _kept(job, indices, emit, cancelled)


def _kept(job: _Job, indices: Sequence[int], emit: Emit, cancelled: Callable[[], bool]) -> Iterator[Picture]:
    """The pictures that the safety checker lets pass."""
    pace, blanked = Pace(len(indices)), 0
    for index in indices:
        picture = _picture(job, index, Watch(index, pace, emit, cancelled))
        if picture is not None:
            yield picture
            continue
        blanked += 1
        seeds = job.brush.wish.seeds(index)
        message = _BLANKED.format(seed=seeds.seed if seeds.towards is None else seeds.towards)
        if blanked == len(indices):
            raise EngineFailed(message, "Try another seed or other words.")
        emit(Warned(message=message))


def cut_off(loaded: Loaded, prompt: str) -> str:
    """A sentence about the part of `prompt` that no text encoder reads; empty when all of it is read."""
    prompt = emphasis.plain(prompt) if emphasis.takes_weights(loaded.record) else prompt
    tokenizer = loaded.family.tokenizer(loaded.pipeline)
    if tokenizer is None:
        return ""
    tokens = tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids
    room = loaded.record.prompt_tokens - tokenizer.num_special_tokens_to_add()
    if len(tokens) <= room:
        return ""
    rest = str(tokenizer.decode(tokens[room:])).strip()
    shown = rest if len(rest) <= _SHOWN else rest[:_SHOWN] + "…"
    return (
        f"The prompt has {len(tokens)} tokens and {loaded.record.name} reads {room}: "
        f"the last {len(tokens) - room} are ignored, “{shown}”."
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What the pictures of one request share."""

    request: GenerationRequest
    brush: Brush
    work: Work
    enlarger: Enlarger | None
    extras: Used
    versions: dict[str, str]
    load_seconds: float


def _prompts(loaded: Loaded, wish: Wish, emit: Emit) -> dict[str, Any]:
    """Arguments of the pipeline that say what to draw: as text, or encoded."""
    made = encoded(loaded.pipeline, loaded.record, wish.prompt, wish.negative_prompt)
    if made.note:
        emit(Warned(message=made.note))
    return made.arguments


def _picture(job: _Job, index: int, watch: Watch) -> Picture | None:
    """None for a picture that the safety checker blanked."""
    watch.begin()
    with generator_of(job.brush.wish.seeds(index)) as noise:
        drawn = _drawn(job, watch, noise)
    job.brush.finish_device_work()
    seconds = watch.pace.end()
    if drawn is None:
        return None
    recipe = _recipe(job, index, drawn, seconds)
    return Picture(index=index, rgb=drawn.tobytes(), recipe=recipe)


def _drawn(job: _Job, watch: Watch, noise: torch.Generator) -> Image.Image | None:
    """The picture after every call; None when the safety checker blanked it in one of them."""
    work, enlarger, loaded = job.work, job.enlarger, job.brush.loaded
    tiles, refining = enlarger.tiles(work.drawn) if enlarger else 0, sum(map(job.brush.steps, work.refining))
    picture = _after(work.calls, work.picture, job.brush, watch, noise, tiles + refining)
    if picture is None or enlarger is None:
        return picture
    picture = enlarger.enlarged(picture, watch, refining)
    if not work.refining:
        return picture
    with detailed(loaded.pipeline, loaded.record, [use.weight for use in job.request.loras]):
        return _after(work.refining, picture, job.brush, watch, noise, 0)


def _after(
    calls: Sequence[Call], picture: Image.Image | None, brush: Brush, watch: Watch, noise: torch.Generator, later: int
) -> Image.Image | None:
    """`picture` after each of `calls`; None when the safety checker blanked it. What comes then takes `later` steps."""
    for place, call in enumerate(calls, start=1):
        rest = sum(map(brush.steps, calls[place:])) + later
        picture = brush.draw(call, picture, watch, noise, rest)
        if picture is None:
            return None
    return picture


def _recipe(job: _Job, index: int, drawn: Image.Image, seconds: float) -> Recipe:
    request, loaded, wish = job.request, job.brush.loaded, job.brush.wish
    scheduler, placement, seeds = job.brush.scheduler_used, loaded.placement, wish.seeds(index)
    config = json.loads(scheduler.to_json_string())
    return Recipe(
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt,
        model=loaded.record.id,
        model_revision=loaded.revision,
        num_inference_steps=wish.steps,
        guidance_scale=wish.guidance,
        width=drawn.width,
        height=drawn.height,
        seed=seeds.seed,
        variation_seed=seeds.towards,
        variation_strength=seeds.strength,
        scheduler=type(scheduler).__name__,
        scheduler_config={key: value for key, value in config.items() if not key.startswith("_")},
        arguments=loaded.record.arguments,
        quantization=placement.quantization,
        component_quantization=loaded.exceptions,
        vae_tiling=placement.tiled,
        offload=placement.offload,
        loras=job.extras.loras,
        vae=job.extras.vae,
        controls=used(request, job.brush.guided),
        **_worked_from(request, job.work, drawn.size),
        upscaler=job.enlarger.used if job.enlarger else None,
        detail=detail_used(loaded.record) if job.work.refining else None,
        dtype=placement.dtype,
        device=placement.label,
        components=loaded.components,
        versions=job.versions,
        seconds=seconds,
        load_seconds=job.load_seconds,
        sha256=hashlib.sha256(drawn.tobytes()).hexdigest(),
    )


def _worked_from(request: GenerationRequest, work: Work, size: Size) -> dict[str, Any]:
    """What a recipe says of the pictures that took part."""
    found: dict[str, Any] = {"upscale": request.upscale, "fit": request.fit}
    if request.image is not None:
        names = ("image", "mask", "mask_feather", "mask_area", "outpaint")
        found |= {name: getattr(request, name) for name in names} | {"strength": request.used_strength}
    return found | ({"work_size": work.calls[0].size} if work.calls[0].size != size else {})
