"""A request with every default of its model filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.engine.noise import Seeds
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest

_GUIDANCE_OFF = 1.0
"""Up to this guidance, pipelines leave out the pass with the negative prompt."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What all pictures of a request have in common."""

    prompt: str
    negative_prompt: str
    steps: int
    guidance: float
    seed: int
    variation_seed: int
    variation_strength: float

    @classmethod
    def of(cls, request: GenerationRequest, record: ModelRecord) -> Wish:
        """Fill in the defaults of the record; `0.0` is a value. A negative prompt stays only where it takes part."""
        guidance = _or(request.guidance_scale, record.guidance.default)
        takes_part = record.negative_prompt and guidance > _GUIDANCE_OFF
        return cls(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt if takes_part else "",
            steps=_or(request.num_inference_steps, record.steps.default),
            guidance=guidance,
            seed=request.seed,
            variation_seed=request.variation_seed,
            variation_strength=request.variation_strength,
        )

    def seeds(self, index: int) -> Seeds:
        """What the noise of picture `index` comes from."""
        if not self.variation_strength:
            return Seeds(self.seed + index)
        return Seeds(self.seed, self.variation_seed + index, self.variation_strength)


def _or(value: float | None, default: float) -> Any:
    return default if value is None else value
