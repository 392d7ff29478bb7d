"""How the making of one picture is followed, and stopped."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from pipeline.engine.load import Emit
from pipeline.engine.pace import Pace
from pipeline.engine.preview import Previewer
from pipeline.events import Preview, Step


class GenerationCancelled(Exception):
    """Someone asked the generation to stop; it did so between two steps."""


class Watch:
    """Follows one picture from step to step, through all calls of a pipeline that it takes: cancellation, progress,
    previews, time."""

    def __init__(self, index: int, pace: Pace, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self.index = index
        self.pace = pace
        self._emit = emit
        self._cancelled = cancelled
        self.previewer: Previewer | None = None
        self._before = self._rest = 0
        """Steps of the calls before this one, and those that the calls after it will take."""
        self._done = self._prior = 0
        """Steps done in this call, and those of them that the prior of a combined pipeline did."""

    def begin(self) -> None:
        """The picture is about to be made."""
        self.stop_if_cancelled()
        self.pace.begin()

    def begin_call(self, previewer: Previewer | None, rest: int) -> None:
        """A pipeline is about to be called; the calls after that will take `rest` steps."""
        self.stop_if_cancelled()
        self.previewer, self._rest = previewer, rest
        self._before += self._done
        self._done = self._prior = 0

    def tile(self, done: int, total: int, rest: int) -> None:
        """A network has enlarged `done` of `total` tiles of the picture, which count as steps; the calls after that
        will take `rest` steps. Raises `GenerationCancelled`."""
        self._rest = rest
        self._stepped(self._done + 1 + total - done, None, self._prior)

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
        self.stop_if_cancelled()
        self._done += 1
        step, total = self._before + self._done, self._before + total + self._rest
        seconds = self.pace.left(step, total, before)
        self._emit(Step(image_index=self.index, step=step, total=total, seconds_left=seconds))
        if latents is not None and self.previewer and (jpeg := self.previewer.after(latents)):
            self._emit(Preview(image_index=self.index, jpeg=jpeg))

    def stop_if_cancelled(self) -> None:
        """Raise `GenerationCancelled` when somebody asked for it."""
        if self._cancelled():
            raise GenerationCancelled
