"""What a model leaves to choose about how it draws, whether it runs here or in another Darkroom: steps, guidance and
schedulers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import NonNegativeFloat, PositiveInt

from pipeline.errors import InvalidRequest
from pipeline.models.facts import Facts


class StepRange(Facts):
    """Denoising steps: the interface's range (the API takes more as well, not fewer), and the pipeline argument that it
    is passed as. Where two stages denoise it is the stage that decides what the picture shows."""

    default: PositiveInt
    min: PositiveInt
    max: PositiveInt
    argument: str = "num_inference_steps"

    def check(self, steps: int | None, name: str) -> None:
        """Raise `InvalidRequest` when the model called `name` cannot draw in so few steps; None is its own number."""
        if steps is not None and steps < self.min:
            message = f"{name} cannot draw in {steps} step."
            raise InvalidRequest(message, f"Choose {self.min} or more.", field="num_inference_steps")


class GuidanceRange(Facts):
    """Guidance: the interface's range, and the pipeline argument that it is passed as."""

    default: NonNegativeFloat
    min: NonNegativeFloat
    max: NonNegativeFloat
    argument: str = "guidance_scale"


def check_scheduler(name: str | None, names: Sequence[str], model: str) -> None:
    """Raise `InvalidRequest` when `model`, which can use the scheduler classes `names`, cannot use `name`; None is its
    own, and where nothing is known anything may be tried."""
    if name is not None and names and name not in names:
        message = f"{model} cannot use the scheduler {name}."
        raise InvalidRequest(message, f"Possible: {', '.join(names)}.", field="scheduler")
