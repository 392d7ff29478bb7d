"""Calls the pipelines of a loaded model: the one for words, and those for pictures, which share its components."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from PIL import Image

from pipeline.engine.control import Guided
from pipeline.engine.derive import derived
from pipeline.engine.load import Loaded
from pipeline.engine.preview import Previewer
from pipeline.engine.schedulers import fresh
from pipeline.engine.watch import Watch
from pipeline.engine.wish import Wish
from pipeline.engine.work import Call
from pipeline.inputs import Fit, Task
from pipeline.pictures.fit import Size, fitted
from pipeline.pictures.patches import Box, pasted


@dataclass
class Brush:
    """A model that is ready to draw one request."""

    loaded: Loaded
    wish: Wish
    scheduler: type[Any]
    """Class of the scheduler of the only or last stage."""
    prompts: Mapping[str, Any]
    """Arguments of the pipelines that say what to draw."""
    guided: Guided | None = None
    """The same model with the request's ControlNets beside it."""
    fit: Fit = "crop"
    """How maps come to the shape of the picture."""
    _pipelines: dict[Task, Any] = field(default_factory=dict)
    scheduler_used: Any = None
    """The scheduler of the last call."""

    def draw(
        self, call: Call, picture: Image.Image | None, watch: Watch, noise: torch.Generator, rest: int
    ) -> Image.Image | None:
        """`picture` after `call`, mode RGB; None when the model's safety checker blanked it. The calls after this one
        will take `rest` steps."""
        if call.patch is None or picture is None:
            maps = [fitted(image, call.size, self.fit) for image in self._maps(call)]
            return self._called(call, {} if picture is None else {"image": picture}, maps, watch, noise, rest)
        seen = partial(_seen, window=call.patch.window, size=call.size)
        given = {"image": seen(picture)}
        if call.task == "inpaint":
            given["mask_image"] = call.patch.mask.resize(call.size, Image.Resampling.NEAREST)
        maps = [seen(fitted(image, picture.size, self.fit)) for image in self._maps(call)]
        drawn = self._called(call, given, maps, watch, noise, rest)
        if drawn is None:
            return None
        return pasted(picture, call.patch, drawn.resize(call.patch.size, Image.Resampling.LANCZOS))

    def steps(self, call: Call) -> int:
        """How many steps `call` takes, those of a prior included."""
        prior = self.loaded.record.arguments.get("prior_num_inference_steps", 0)
        return self._last_stage_steps(call, self.wish.steps) + int(prior)

    def finish_device_work(self) -> None:
        """Wait for the GPU, which otherwise still computes while the clock is read."""
        if self.loaded.placement.kind != "cpu":
            torch.accelerator.synchronize()

    def _called(
        self,
        call: Call,
        given: Mapping[str, Any],
        maps: Sequence[Image.Image],
        watch: Watch,
        noise: torch.Generator,
        rest: int,
    ) -> Image.Image | None:
        guided, family = self.guided if maps else None, self.loaded.family
        pipeline = guided.pipeline(call.task) if guided else self._pipeline(call.task)
        schedulers = {name: fresh(type(own), own) for name, own in self.loaded.schedulers.items()}
        family.set_schedulers(pipeline, schedulers | {"scheduler": fresh(self.scheduler, self.loaded.scheduler)})
        arguments = self._arguments(pipeline, call) | (guided.arguments(pipeline, maps) if guided else {})
        watch.begin_call(self._previewer(pipeline, call), rest)
        callbacks = watch.callbacks(pipeline, self._last_stage_steps(call, arguments["num_inference_steps"]))
        with family.watched(pipeline, watch.denoising), family.calling(pipeline):
            try:
                result = family.call(pipeline, arguments | dict(given) | callbacks | {"generator": noise})
            finally:
                family.free(pipeline)
        self.scheduler_used = pipeline.scheduler
        blanked = any(getattr(result, "nsfw_content_detected", None) or ())
        return None if blanked else result.images[0].convert("RGB")

    def _maps(self, call: Call) -> list[Image.Image]:
        """Those that `call` follows, whole."""
        return self.guided.maps if self.guided and call.guided else []

    def _last_stage_steps(self, call: Call, of: int) -> int:
        return of if call.task == "text" else self.loaded.family.steps(of, call.strength)

    def _pipeline(self, task: Task) -> Any:
        if task not in self._pipelines:
            self._pipelines[task] = pipeline_for(self.loaded, task)
        return self._pipelines[task]

    def _previewer(self, pipeline: Any, call: Call) -> Previewer | None:
        if self.loaded.projection is None:
            return None
        width, height = call.size
        unpack = partial(self.loaded.family.latents, pipeline, width=width, height=height)
        return Previewer(self.loaded.projection, pipeline.scheduler, unpack)

    def _arguments(self, pipeline: Any, call: Call) -> dict[str, Any]:
        """By the pipeline's signature where those for pictures and maps take less than the one for words."""
        record, wish = self.loaded.record, self.wish
        accepted = inspect.signature(pipeline.__call__).parameters
        arguments = {
            "num_inference_steps": accepted["num_inference_steps"].default,
            **record.arguments,
            **self.prompts,
            record.steps.argument: wish.steps,
            record.guidance.argument: wish.guidance,
            "width": call.size[0],
            "height": call.size[1],
        }
        if pipeline is self.loaded.pipeline:
            return arguments
        arguments["strength"] = call.strength
        return {name: value for name, value in arguments.items() if name in accepted}


def _seen(image: Image.Image, window: Box, size: Size) -> Image.Image:
    """What of a whole picture the model sees of that size."""
    return image.crop(window).resize(size, Image.Resampling.LANCZOS)


def pipeline_for(loaded: Loaded, task: Task) -> Any:
    """The record's pipeline for `task`, with the components of the loaded one as they are now: quantised, placed, with
    their hooks, LoRAs and VAE."""
    if task == "text":
        return loaded.pipeline
    return derived(loaded, loaded.record.pipelines[task])
