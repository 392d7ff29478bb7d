"""Turns a request into pictures with a loaded pipeline, one at a time.

What holds about determinism: picture *i* has its own generator, seeded `seed + i` and drawn on the CPU, a fresh
scheduler and a batch of one. So with the same recipe (model revision, versions, device, dtype, quantisation, number of
threads) its bytes do not depend on `num_images`, on the order, or on what ran before, and a new process makes the same.
The same holds of variations, which have two generators, seeded `seed` and `variation_seed + i`. Another device or
version gives a picture that looks the same, but not the same bytes.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from pipeline.engine.extras import Used, applied
from pipeline.engine.load import Emit, Loaded
from pipeline.engine.noise import Seeds, generator_of
from pipeline.engine.pace import Pace
from pipeline.engine.preview import Previewer
from pipeline.engine.prompts import encoded
from pipeline.engine.schedulers import fresh, scheduler_class
from pipeline.errors import EngineFailed
from pipeline.events import Picture, Preview, Step, Warned
from pipeline.models import emphasis
from pipeline.models.own.shelf import Shelf
from pipeline.request import GenerationRequest, Recipe

_SHOWN = 60
"""Characters of the cut-off part of a prompt that a warning quotes."""
_GUIDANCE_OFF = 1.0
"""Up to this guidance, pipelines leave out the pass with the negative prompt."""
_BLANKED = "The model's safety checker took the picture of seed {seed} for unsafe and blanked it; it is not kept."


class GenerationCancelled(Exception):
    """Someone asked the generation to stop; it did so between two steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with every default of its model filled in."""

    prompt: str
    negative_prompt: str
    steps: int
    guidance: float
    width: int
    height: int
    seed: int
    variation_seed: int
    variation_strength: float

    @classmethod
    def of(cls, request: GenerationRequest, loaded: Loaded) -> Plan:
        """Fill in the defaults of the record; `0.0` is a value. A negative prompt stays only where it takes part."""
        record = loaded.record
        width, height = record.size.native
        guidance = _or(request.guidance_scale, record.guidance.default)
        takes_part = record.negative_prompt and guidance > _GUIDANCE_OFF
        return cls(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt if takes_part else "",
            steps=_or(request.num_inference_steps, record.steps.default),
            guidance=guidance,
            width=_or(request.width, width),
            height=_or(request.height, height),
            seed=request.seed,
            variation_seed=request.variation_seed,
            variation_strength=request.variation_strength,
        )

    def seeds(self, index: int) -> Seeds:
        """What the noise of picture `index` comes from."""
        if not self.variation_strength:
            return Seeds(self.seed + index)
        return Seeds(self.seed, self.variation_seed + index, self.variation_strength)


def pictures(
    loaded: Loaded,
    request: GenerationRequest,
    indices: Sequence[int],
    emit: Emit,
    cancelled: Callable[[], bool],
    versions: dict[str, str],
    load_seconds: float,
    shelf: Shelf,
) -> Iterator[Picture]:
    """Yield picture *i* for each of `indices`; LoRAs and VAEs come from `shelf`. Recipes tell `versions`, and that it
    took `load_seconds` to load the model for them.

    A picture that the model's safety checker blanks is left out and said so. Raises `InvalidRequest` for an unknown
    scheduler and for extras that do not fit, `EngineFailed` when every picture was blanked, `GenerationCancelled`
    between steps, and what the libraries raise.
    """
    plan = Plan.of(request, loaded)
    scheduler = scheduler_class(loaded.record, loaded.scheduler, request.scheduler)
    if warning := cut_off(loaded, plan.prompt):
        emit(Warned(message=warning))
    with applied(loaded.pipeline, loaded.record, request, shelf) as extras:
        job = _Job(loaded, plan, scheduler, _prompts(loaded, plan, emit), extras, versions, load_seconds)
        yield from _kept(job, indices, emit, cancelled)


def _kept(job: _Job, indices: Sequence[int], emit: Emit, cancelled: Callable[[], bool]) -> Iterator[Picture]:
    """The pictures that the safety checker lets pass."""
    pace, blanked = Pace(len(indices)), 0
    for index in indices:
        picture = _picture(job, index, _Watch(index, pace, emit, cancelled))
        if picture is not None:
            yield picture
            continue
        blanked += 1
        seeds = job.plan.seeds(index)
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

    loaded: Loaded
    plan: Plan
    scheduler: type[Any]
    prompts: dict[str, Any]
    """Arguments of the pipeline that say what to draw: as text, or encoded."""
    extras: Used
    versions: dict[str, str]
    load_seconds: float


class _Watch:
    """Follows one picture from step to step: cancellation, progress, previews, time."""

    def __init__(self, index: int, pace: Pace, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self.index = index
        self.pace = pace
        self._emit = emit
        self._cancelled = cancelled
        self.previewer: Previewer | None = None
        self._done = self._prior = 0
        """Steps done, and those of them that the prior of a combined pipeline did."""

    def begin(self) -> None:
        """The picture is about to be made."""
        self._stop_if_cancelled()
        self.pace.begin()

    def denoising(self, *_: Any) -> None:
        """The denoiser is called; what precedes its first call of a picture is not counted as denoising."""
        self.pace.denoising()

    def callbacks(self, pipeline: Any, steps: int) -> dict[str, Any]:
        """The arguments with which `pipeline` reports its steps. Its last stage, or only one, was asked for `steps`.

        Told by its signature: there are pipelines that take the modern callback in `**kwargs` and never call it.
        """
        accepted = inspect.signature(pipeline.__call__).parameters
        if "callback_on_step_end" not in accepted:
            return {"callback": partial(self._legacy_step, steps), "callback_steps": 1}
        found: dict[str, Any] = {"callback_on_step_end": self._step}
        if "prior_callback_on_step_end" in accepted:
            found["prior_callback_on_step_end"] = partial(self._prior_step, steps)
        if "callback_steps" in accepted:  # Kandinsky's pipeline hands on its default, and regrets it aloud
            found["callback_steps"] = None
        return found

    def _step(self, stage: Any, _: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """diffusers' `callback_on_step_end`. Raises `GenerationCancelled`."""
        self._stepped(self._prior + stage.num_timesteps, tensors["latents"], self._prior)
        return tensors

    def _prior_step(self, steps: int, stage: Any, _: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """The same for the prior, whose latents are no picture; `steps` will follow."""
        self._stepped(stage.num_timesteps + steps, None)
        self._prior = self._done
        return tensors

    def _legacy_step(self, steps: int, _: int, __: Any, latents: torch.Tensor) -> None:
        """diffusers' `callback` of old, which is called once a step, however often that asks the denoiser."""
        self._stepped(steps, latents)

    def _stepped(self, total: int, latents: torch.Tensor | None, before: int = 0) -> None:
        self._stop_if_cancelled()
        self._done += 1
        seconds = self.pace.left(self._done, total, before)
        self._emit(Step(image_index=self.index, step=self._done, total=total, seconds_left=seconds))
        if latents is not None and self.previewer and (jpeg := self.previewer.after(latents)):
            self._emit(Preview(image_index=self.index, jpeg=jpeg))

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise GenerationCancelled


def _prompts(loaded: Loaded, plan: Plan, emit: Emit) -> dict[str, Any]:
    made = encoded(loaded.pipeline, loaded.record, plan.prompt, plan.negative_prompt)
    if made.note:
        emit(Warned(message=made.note))
    return made.arguments


def _picture(job: _Job, index: int, watch: _Watch) -> Picture | None:
    """None for a picture that the safety checker blanked."""
    loaded, plan = job.loaded, job.plan
    pipeline, family = loaded.pipeline, loaded.family
    schedulers = {name: fresh(type(own), own) for name, own in loaded.schedulers.items()}
    family.set_schedulers(pipeline, schedulers | {"scheduler": fresh(job.scheduler, loaded.scheduler)})
    if loaded.projection:
        unpack = partial(family.latents, pipeline, width=plan.width, height=plan.height)
        watch.previewer = Previewer(loaded.projection, pipeline.scheduler, unpack)
    arguments = _arguments(job)
    callbacks = watch.callbacks(pipeline, arguments["num_inference_steps"])
    watch.begin()
    with family.watched(pipeline, watch.denoising), family.calling(pipeline), generator_of(plan.seeds(index)) as noise:
        try:
            result = pipeline(**arguments, **callbacks, generator=noise)
        finally:
            family.free(pipeline)
    _finish_device_work(loaded)
    seconds = watch.pace.end()
    if any(getattr(result, "nsfw_content_detected", None) or ()):
        return None
    rgb = result.images[0].convert("RGB")
    recipe = _recipe(job, index, rgb.size, rgb.tobytes(), seconds)
    return Picture(index=index, rgb=rgb.tobytes(), recipe=recipe)


def _arguments(job: _Job) -> dict[str, Any]:
    record, plan = job.loaded.record, job.plan
    accepted = inspect.signature(job.loaded.pipeline.__call__).parameters
    return {
        "num_inference_steps": accepted["num_inference_steps"].default,
        **record.arguments,
        **job.prompts,
        record.steps.argument: plan.steps,
        record.guidance.argument: plan.guidance,
        "width": plan.width,
        "height": plan.height,
    }


def _finish_device_work(loaded: Loaded) -> None:
    """Wait for the GPU, which otherwise still computes while the clock is read."""
    if loaded.placement.kind != "cpu":
        torch.accelerator.synchronize()


def _recipe(job: _Job, index: int, size: tuple[int, int], rgb: bytes, seconds: float) -> Recipe:
    loaded, plan = job.loaded, job.plan
    scheduler, placement, seeds = loaded.pipeline.scheduler, loaded.placement, plan.seeds(index)
    config = json.loads(scheduler.to_json_string())
    return Recipe(
        prompt=plan.prompt,
        negative_prompt=plan.negative_prompt,
        model=loaded.record.id,
        model_revision=loaded.revision,
        num_inference_steps=plan.steps,
        guidance_scale=plan.guidance,
        width=size[0],
        height=size[1],
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
        dtype=placement.dtype,
        device=placement.label,
        components=loaded.components,
        versions=job.versions,
        seconds=seconds,
        load_seconds=job.load_seconds,
        sha256=hashlib.sha256(rgb).hexdigest(),
    )


def _or(value: float | None, default: float) -> Any:
    return default if value is None else value
