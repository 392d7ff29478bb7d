"""Turns a request into pictures with a loaded pipeline, one at a time.

What holds about determinism: picture *i* has its own generator, seeded `seed + i` and drawn on the CPU, a fresh
scheduler and a batch of one. So with the same recipe (model revision, versions, device, dtype, quantisation, number of
threads) its bytes do not depend on `num_images`, on the order, or on what ran before, and a new process makes the same.
Another device or version gives a picture that looks the same, but not the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from pipeline.engine.load import Emit, Loaded
from pipeline.engine.pace import Pace
from pipeline.engine.preview import Previewer
from pipeline.errors import InvalidRequest
from pipeline.events import Picture, Preview, Step, Warned
from pipeline.request import GenerationRequest, Recipe

_SHOWN = 60
"""Characters of the cut-off part of a prompt that a warning quotes."""


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

    @classmethod
    def of(cls, request: GenerationRequest, loaded: Loaded) -> Plan:
        """Fill in the defaults of the record; `0.0` is a value."""
        record = loaded.record
        width, height = record.size.native
        return cls(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt if record.negative_prompt else "",
            steps=_or(request.num_inference_steps, record.steps.default),
            guidance=_or(request.guidance_scale, record.guidance.default),
            width=_or(request.width, width),
            height=_or(request.height, height),
            seed=request.seed,
        )


def pictures(
    loaded: Loaded,
    request: GenerationRequest,
    indices: Sequence[int],
    emit: Emit,
    cancelled: Callable[[], bool],
    versions: dict[str, str],
) -> Iterator[Picture]:
    """Yield picture *i* for each of `indices`.

    Raises `InvalidRequest` for an unknown scheduler, `GenerationCancelled` between steps, and what the libraries raise.
    """
    plan = Plan.of(request, loaded)
    scheduler = scheduler_class(loaded.scheduler, request.scheduler)
    if warning := cut_off(loaded, plan.prompt):
        emit(Warned(message=warning))
    pace = Pace(len(indices))
    for index in indices:
        yield _picture(loaded, plan, index, scheduler, _Watch(index, pace, emit, cancelled), versions)


def scheduler_class(own: Any, name: str | None) -> type[Any]:
    """The scheduler class of that name, `own`'s for None. Raises `InvalidRequest` for one that cannot replace `own`."""
    possible: dict[str, type[Any]] = {kind.__name__: kind for kind in (type(own), *own.compatibles)}
    if name is None:
        return type(own)
    if name in possible:
        return possible[name]
    names = ", ".join(sorted(possible))
    raise InvalidRequest(f"This model cannot use the scheduler {name}.", f"Possible: {names}.", field="scheduler")


def cut_off(loaded: Loaded, prompt: str) -> str:
    """A sentence about the part of `prompt` that no text encoder reads; empty when all of it is read.

    The last tokenizer belongs to the encoder with the longest reach (T5 beside CLIP); the record has its limit.
    """
    tokenizers = [
        part
        for name, part in sorted(loaded.pipeline.components.items())
        if isinstance(part, PreTrainedTokenizerBase) and "tokenizer" in name
    ]
    if not tokenizers:
        return ""
    tokens = tokenizers[-1](prompt, add_special_tokens=False, verbose=False).input_ids
    room = loaded.record.prompt_tokens - tokenizers[-1].num_special_tokens_to_add()
    if len(tokens) <= room:
        return ""
    rest = str(tokenizers[-1].decode(tokens[room:])).strip()
    shown = rest if len(rest) <= _SHOWN else rest[:_SHOWN] + "…"
    return (
        f"The prompt has {len(tokens)} tokens and {loaded.record.name} reads {room}: "
        f"the last {len(tokens) - room} are ignored, “{shown}”."
    )


class _Watch:
    """Follows one picture from step to step: cancellation, progress, previews, time."""

    def __init__(self, index: int, pace: Pace, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self.index = index
        self.pace = pace
        self._emit = emit
        self._cancelled = cancelled
        self.previewer: Previewer | None = None
        self.total = 0

    def begin(self) -> None:
        """The picture is about to be made."""
        self._stop_if_cancelled()
        self.pace.begin()

    def denoising(self, *_: Any) -> None:
        """The denoiser is called; what precedes its first call of a picture is not counted as denoising."""
        self.pace.denoising()

    def step(self, pipeline: Any, step: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """diffusers' `callback_on_step_end`. Raises `GenerationCancelled`."""
        self._stop_if_cancelled()
        total = len(pipeline.scheduler.timesteps)
        seconds = self.pace.left(step + 1, total)
        self._emit(Step(image_index=self.index, step=step + 1, total=total, seconds_left=seconds))
        if self.previewer and (jpeg := self.previewer.after(step, tensors["latents"])):
            self._emit(Preview(image_index=self.index, jpeg=jpeg))
        return tensors

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise GenerationCancelled


def _picture(
    loaded: Loaded, plan: Plan, index: int, scheduler: type[Any], watch: _Watch, versions: dict[str, str]
) -> Picture:
    pipeline = loaded.pipeline
    pipeline.scheduler = scheduler.from_config(loaded.scheduler.config)
    if loaded.projection:
        watch.previewer = Previewer(loaded.projection, pipeline.scheduler)
    watch.begin()
    with _denoiser_watched(pipeline, watch.denoising):
        try:
            image = pipeline(**_arguments(loaded, plan, index), callback_on_step_end=watch.step).images[0]
        finally:
            pipeline.maybe_free_model_hooks()
    _finish_device_work(loaded)
    seconds = watch.pace.end()
    rgb = image.convert("RGB")
    recipe = _recipe(loaded, plan, index, rgb.size, rgb.tobytes(), seconds, versions)
    return Picture(index=index, rgb=rgb.tobytes(), recipe=recipe)


def _arguments(loaded: Loaded, plan: Plan, index: int) -> dict[str, Any]:
    record = loaded.record
    negative = {"negative_prompt": plan.negative_prompt} if plan.negative_prompt else {}
    return {
        **record.arguments,
        "prompt": plan.prompt,
        record.steps.argument: plan.steps,
        record.guidance.argument: plan.guidance,
        "width": plan.width,
        "height": plan.height,
        "generator": torch.Generator("cpu").manual_seed(plan.seed + index),
        **negative,
    }


@contextmanager
def _denoiser_watched(pipeline: Any, notice: Callable[..., None]) -> Iterator[None]:
    """Call `notice` before every call of the denoiser, the component that pipelines run just before the VAE."""
    order = (pipeline.model_cpu_offload_seq or "").split("->")
    denoiser = getattr(pipeline, order[-2], None) if len(order) > 1 else None
    if not isinstance(denoiser, torch.nn.Module):
        yield
        return
    handle = denoiser.register_forward_pre_hook(notice)
    try:
        yield
    finally:
        handle.remove()


def _finish_device_work(loaded: Loaded) -> None:
    """Wait for the GPU, which otherwise still computes while the clock is read."""
    if loaded.placement.kind != "cpu":
        torch.accelerator.synchronize()


def _recipe(
    loaded: Loaded,
    plan: Plan,
    index: int,
    size: tuple[int, int],
    rgb: bytes,
    seconds: float,
    versions: dict[str, str],
) -> Recipe:
    scheduler, placement = loaded.pipeline.scheduler, loaded.placement
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
        seed=plan.seed + index,
        scheduler=type(scheduler).__name__,
        scheduler_config={key: value for key, value in config.items() if not key.startswith("_")},
        arguments=loaded.record.arguments,
        quantization=placement.quantization,
        offload=placement.offload,
        dtype=placement.dtype,
        device=placement.label,
        components=loaded.components,
        versions=versions,
        seconds=seconds,
        sha256=hashlib.sha256(rgb).hexdigest(),
    )


def _or(value: float | None, default: float) -> Any:
    return default if value is None else value
