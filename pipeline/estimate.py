"""How long a request will take and what it needs, by the pictures that were made here before. Pure functions.

An estimate is worth as much as what it stands on, so it says that too, and says nothing where nothing is known.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from pipeline.models.extent import drawn_size, step_pixels
from pipeline.models.hosted import HostedModel
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import ModelRecord
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest

ENOUGH = 3
"""So many pictures made in a like way are better to judge by than more that were made otherwise."""

_UNKNOWN = "not known before the first picture"


class Estimate(BaseModel):
    """What a request will take, as far as that can be known."""

    model_config = ConfigDict(frozen=True)

    seconds: float | None
    """For all its pictures, loading the model included; None before the first picture with that model here."""
    waits: float | None
    """Seconds until it begins; 0 when nothing is before it, None when that is not known."""
    memory_bytes: int | None
    """At most on the device that computes, by the plan; None where the size of the model is not known, and for a hosted
    one."""
    basis: str
    """Where `seconds` comes from, as part of a sentence."""


class Pace:
    """How fast one model is on one device, by recipes of pictures that it made there."""

    def __init__(self, recipes: Iterable[Recipe], model: str, device: str) -> None:
        """Recipes of other models and other devices are left out, and those of pictures that were only enlarged."""
        self._recipes = [one for one in recipes if one.model == model and one.device == device and one.strength != 0]

    def __len__(self) -> int:
        return len(self._recipes)

    def picture_seconds(self, request: GenerationRequest, record: ModelRecord, precision: str | None) -> float | None:
        """Seconds for one picture. `precision` is that of the weights where it is known. None when nothing is known.

        The time for a step and a pixel is the median of the pictures most like this one, so that a machine which was
        busy for a moment does not matter.
        """
        size, work = drawn_size(request, record.size), step_pixels(request, record)
        guided = _guided(record.guidance.default if request.guidance_scale is None else request.guidance_scale)
        alike = _of_precision(self._recipes, precision)
        alike = _enough([one for one in alike if _guided(one.guidance_scale) == guided], alike)
        alike = _enough([one for one in alike if (one.work_size or (one.width, one.height)) == size], alike)
        alike = _enough([one for one in alike if one.upscale == request.upscale], alike)
        if not alike or not work:
            return None
        return median(one.seconds / step_pixels(one.to_request(), record) for one in alike) * work

    def load_seconds(self, precision: str | None) -> float | None:
        """Seconds to load the model; None when it is not known."""
        loads = [one for one in self._recipes if one.load_seconds > 0]
        alike = _of_precision(loads, precision)
        return median(one.load_seconds for one in alike) if alike else None


def estimate(
    request: GenerationRequest, record: ModelRecord, plan: Plan | None, pace: Pace, loaded: bool, waits: float | None
) -> Estimate:
    """What `request` takes. `loaded` says whether the model is held as it is needed; `waits` are the seconds before it
    begins."""
    precision = plan.quantization if plan else None
    each = pace.picture_seconds(request, record, precision)
    load = 0.0 if loaded else pace.load_seconds(precision)
    return Estimate(
        seconds=None if each is None else each * request.num_images + (load or 0.0),
        waits=waits,
        memory_bytes=plan.peak_device_bytes if plan and plan.components else None,
        basis=_basis(len(pace), load is None) if each is not None else _UNKNOWN,
    )


def estimate_hosted(
    request: GenerationRequest, model: HostedModel, recipes: Iterable[Recipe], waits: float | None
) -> Estimate:
    """What `request` takes at a provider, by earlier pictures of the model: the recipe of each tells how long its call
    took. Those with the same options, then those of the same size, count alone where there are some."""
    size, options = model.asked_size(request), model.chosen(request)
    alike = [one for one in recipes if one.hosted is not None]
    alike = [one for one in alike if one.options == options] or alike
    alike = [one for one in alike if (one.work_size or (one.width, one.height)) == size] or alike
    calls = math.ceil(request.num_images / model.images_per_call)
    return Estimate(
        seconds=median(one.seconds for one in alike) * calls if alike else None,
        waits=waits,
        memory_bytes=None,
        basis=_basis(len(alike), without_loading=False) if alike else _UNKNOWN,
    )


def in_all(stages: Sequence[Estimate]) -> Estimate:
    """What the stages of a chain take together, one after the other."""
    held = [one.memory_bytes for one in stages if one.memory_bytes is not None]
    return Estimate(
        seconds=total([one.seconds for one in stages]),
        waits=stages[0].waits,
        memory_bytes=max(held) if len(held) == len(stages) else None,
        basis="; ".join(dict.fromkeys(one.basis for one in stages)),
    )


def total(seconds: Sequence[float | None]) -> float | None:
    """The sum; None when one of them is not known."""
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None


def waiting_seconds(busy: Sequence[float | None], before: Iterable[float | None]) -> float | None:
    """Seconds until a job begins: `busy` is how long each worker is still at its job, 0 for an idle one, and `before`
    how long the jobs take that come first. None when one of them is not known."""
    free = [one for one in busy if one is not None]
    if not busy or len(free) < len(busy):
        return None
    heapq.heapify(free)
    for seconds in before:
        if seconds is None:
            return None
        heapq.heapreplace(free, free[0] + seconds)
    return free[0]


def _of_precision(recipes: list[Recipe], precision: str | None) -> list[Recipe]:
    """Those with such weights, or all when there are none: other weights are better to judge by than nothing."""
    return [one for one in recipes if one.quantization == precision] or recipes


def _enough(alike: list[Recipe], others: list[Recipe]) -> list[Recipe]:
    """Those that are more alike, if they are enough to judge by."""
    return alike if len(alike) >= ENOUGH else others


def _guided(scale: float) -> bool:
    """Whether each step asks the model twice, with the prompt and without."""
    return scale > 1


def _basis(count: int, without_loading: bool) -> str:
    pictures = "1 earlier picture" if count == 1 else f"{count} earlier pictures"
    return f"from {pictures} with this model here" + ("; the time to load it is not counted" if without_loading else "")
