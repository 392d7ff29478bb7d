"""Makes the schedulers that pictures are drawn with: the checkpoint's own, or another class in its place.

`pipeline.models.schedulers` says which class can replace which. What the two call by different names is translated
here, so that another class solves the same equation and only takes other steps.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import diffusers

from pipeline.models import schedulers
from pipeline.models.registry import ModelRecord
from pipeline.models.sampling import check_scheduler

_LATENT = {"clip_sample": False, "skip_prk_steps": True}
"""What classes must be told that were made for pixels: latents go beyond ±1, and one step is one call of the denoiser.
Checkpoints say so themselves only where their own class has the setting."""


def scheduler_class(record: ModelRecord, own: Any, name: str | None) -> type[Any]:
    """The scheduler class of that name, `own`'s for None. Raises `InvalidRequest` for one that cannot replace `own`,
    the scheduler of the loaded checkpoint."""
    if name is None:
        return type(own)
    names = schedulers.possible(record.family, type(own).__name__, own.config)
    check_scheduler(name, names, record.name)
    found: type[Any] = getattr(diffusers, name)
    return found


def fresh(kind: type[Any], own: Any) -> Any:
    """A scheduler of class `kind` for the model whose own scheduler is `own`, as if it had never been used."""
    if isinstance(own, kind):
        return kind.from_config(own.config)
    taken = inspect.signature(kind).parameters
    changes = {name: value for name, value in _LATENT.items() if name not in own.config}
    changes |= _flow(own, taken) if schedulers.follows_flow(type(own).__name__, own.config) else {}
    made = kind.from_config(own.config, **{name: value for name, value in changes.items() if name in taken})
    if hasattr(own, "scale_noise"):
        _for_pictures(made)
    return made


def _for_pictures(scheduler: Any) -> None:
    """Give a scheduler what pipelines for pictures ask of those that were made for flows: to add noise under another
    name, and to take the noise of each step, of which the others need the number alone."""
    if not hasattr(scheduler, "scale_noise"):
        scheduler.scale_noise = partial(_scaled, scheduler)
    if "sigmas" not in inspect.signature(scheduler.set_timesteps).parameters:
        scheduler.set_timesteps = partial(_counted, scheduler.set_timesteps)


def _scaled(scheduler: Any, sample: Any, timestep: Any, noise: Any) -> Any:
    return scheduler.add_noise(sample, noise, timestep)


def _counted(own: Any, num_inference_steps: int | None = None, *, sigmas: Any = None, **others: Any) -> None:
    own(num_inference_steps if sigmas is None else len(sigmas), **others)


def _flow(own: Any, taken: Any) -> dict[str, Any]:
    """What makes another class follow the same flow, with the same shift of its steps."""
    shift = own.config["flow_shift" if "flow_shift" in own.config else "shift"]
    return {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": shift, "shift": shift}
