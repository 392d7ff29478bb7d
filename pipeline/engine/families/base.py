"""How diffusers pipelines are driven that do what most of them do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

_DENOISERS = ("prior_prior", "transformer", "unet", "decoder")


class Family:
    """What most families have in common. Adapters override what theirs does otherwise; none of them holds anything."""

    def tokenizer(self, pipeline: Any) -> PreTrainedTokenizerBase | None:
        """The tokenizer of the encoder with the longest reach: the last one (T5 beside CLIP)."""
        found = [
            part
            for name, part in sorted(pipeline.components.items())
            if isinstance(part, PreTrainedTokenizerBase) and "tokenizer" in name
        ]
        return found[-1] if found else None

    def calling(self, pipeline: Any) -> AbstractContextManager[None]:
        """The state in which the pipeline is called."""
        return nullcontext()

    def call(self, pipeline: Any, arguments: dict[str, Any]) -> Any:
        """Call the pipeline; what it returns has `images`, of mode RGB."""
        return pipeline(**arguments)

    def steps(self, of: int, strength: float) -> int:
        """How many of the steps the pipelines for pictures run at that strength: all at 1."""
        return min(int(of * strength), of)

    def set_schedulers(self, pipeline: Any, schedulers: Mapping[str, Any]) -> None:
        """Give the pipeline other schedulers: component name → scheduler."""
        for name, scheduler in schedulers.items():
            setattr(pipeline, name, scheduler)

    def free(self, pipeline: Any) -> None:
        """Send what rests in main memory back there; a pipeline does so itself, unless something is raised in it."""
        pipeline.maybe_free_model_hooks()

    def latents(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        """What is denoised for a picture of that size, as an image: shape (1, channels, rows, columns)."""
        return latents

    @contextmanager
    def watched(self, pipeline: Any, notice: Callable[..., None]) -> Iterator[None]:
        """Call `notice` before every call of a denoiser."""
        parts = pipeline.components
        denoisers = [parts[name] for name in _DENOISERS if isinstance(parts.get(name), torch.nn.Module)]
        handles = [denoiser.register_forward_pre_hook(notice) for denoiser in denoisers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
