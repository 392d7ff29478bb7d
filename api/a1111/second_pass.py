"""The second pass over an enlarged picture, which A1111 calls hires fix, as our enlargement with a strength."""

from __future__ import annotations

from typing import Any

from api.a1111.fields import TextToImage
from api.a1111.unchosen import NO_SCHEDULE
from pipeline.errors import InvalidRequest
from pipeline.models.registry import ModelRecord
from pipeline.pictures.fit import Size

FACTORS = (2, 3, 4)
STRONGEST = 0.999
"""What A1111 takes for a denoising strength of 1 too."""
_LATENT = "latent"
"""The upscaler that clients name where nobody does. Latents are not enlarged here."""
_SAME = {"use same checkpoint", "use same sampler", *NO_SCHEDULE}


def second_pass(body: TextToImage, size: Size, record: ModelRecord, notes: list[str]) -> dict[str, Any]:
    """Our `upscale` for a picture of `size`. Raises `InvalidRequest` for what would differ from the first pass."""
    _check_same(body)
    return {
        "factor": _factor(body, size),
        "upscaler": _upscaler(body.hr_upscaler, record, notes),
        "strength": min(body.denoising_strength, STRONGEST),
    }


def factor_to(size: Size, target: Size) -> float:
    """How many times as large as `size` a picture of `target` is, of which a side may be 0 for whatever it becomes; 0
    when both sides do not grow alike."""
    times = {new / old for old, new in zip(size, target, strict=True) if new}
    return times.pop() if len(times) == 1 else 0.0


def whole_factor(times: float, field: str) -> int:
    """`times` as one of the factors that there are. Raises `InvalidRequest`."""
    if times not in FACTORS:
        told = f"{times:g} times as large" if times else "larger at one side than at the other"
        raise InvalidRequest(
            f"A picture cannot be made {told} here.", "Let both sides grow 2, 3 or 4 times.", field=field
        )
    return int(times)


def _factor(body: TextToImage, size: Size) -> int:
    target = body.hr_resize_x, body.hr_resize_y
    return whole_factor(factor_to(size, target) if any(target) else body.hr_scale, "hr_scale")


def _upscaler(name: str, record: ModelRecord, notes: list[str]) -> str:
    """By its name in the listing; A1111's “None” resizes with a Lanczos filter too."""
    if name.lower() == _LATENT:
        notes.append(f"Latents are not enlarged here: the upscaler {record.upscaler} makes the picture larger.")
        return record.upscaler
    return "lanczos" if name.lower() in ("", "none") else name


def _check_same(body: TextToImage) -> None:
    same = {
        "hr_checkpoint_name": "",
        "hr_sampler_name": body.sampler,
        "hr_scheduler": body.scheduler,
        "hr_prompt": body.prompt,
        "hr_negative_prompt": body.negative_prompt,
    }
    for field, first in same.items():
        if getattr(body, field) != first and getattr(body, field).lower() not in _SAME:
            _refuse(field)
    if body.hr_second_pass_steps not in (0, body.steps):
        _refuse("hr_second_pass_steps")


def _refuse(field: str) -> None:
    message = "The second pass draws with the model, the words and the settings of the first."
    raise InvalidRequest(message, f"Leave {field} out.", field=field)
