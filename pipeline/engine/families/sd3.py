"""Stable Diffusion 3 and 3.5, whose inpaint pipeline of diffusers 0.42 needs help in two places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import StableDiffusion3InpaintPipeline
from diffusers.configuration_utils import FrozenDict
from diffusers.pipelines.stable_diffusion_3.pipeline_output import StableDiffusion3PipelineOutput

from pipeline.engine.families.base import Family

_PLAIN, _MASKED = 16, 33
"""Latent channels by which the inpaint pipeline tells a transformer for text from one that was trained with masks."""


class SD3(Family):
    """It takes no transformer of fewer latent channels, such as the demo's, and decodes without the VAE's shift.

    The steps that the pipelines for pictures run at a strength are rounded up.
    """

    def steps(self, of: int, strength: float) -> int:
        return of - int(of - of * strength)

    def call(self, pipeline: Any, arguments: dict[str, Any]) -> Any:
        if not isinstance(pipeline, StableDiffusion3InpaintPipeline):
            return super().call(pipeline, arguments)
        with _for_text(pipeline):
            latents = pipeline(**arguments, output_type="latent").images
        return StableDiffusion3PipelineOutput(images=_decoded(pipeline, latents))


@torch.no_grad()
def _decoded(pipeline: Any, latents: torch.Tensor) -> Any:
    """As the pipeline for text does it."""
    vae = pipeline.vae
    scaled = latents / vae.config.scaling_factor + vae.config.shift_factor
    return pipeline.image_processor.postprocess(vae.decode(scaled.to(vae.dtype), return_dict=False)[0])


@contextmanager
def _for_text(pipeline: Any) -> Iterator[None]:
    """Let the pipeline take its transformer for one that was trained on text alone, as it is. The transformer itself
    does not look at that number again once it is built."""
    transformer, known = pipeline.transformer, pipeline.transformer.config
    if known.in_channels in {_PLAIN, _MASKED}:
        yield
        return
    transformer._internal_dict = FrozenDict({**known, "in_channels": _PLAIN})  # what its `config` gives
    try:
        yield
    finally:
        transformer._internal_dict = known
