"""The random numbers that a picture is made from: those of its seed, or on the way to those of another seed.

A variation is a picture from noise that lies between that of two seeds. It is found on the arc between them and not on
the straight line, since the middle of that line is too short: a denoiser that was trained on noise of one length makes
a flat, grey picture of it. The formula is spherical linear interpolation (K. Shoemake, “Animating Rotation with
Quaternion Curves”, SIGGRAPH 1985): with ω the angle between a and b, (a·sin((1 − t)·ω) + b·sin(t·ω)) / sin ω.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_PARALLEL = 0.9995
"""Cosine above which two noises are the same, and the arc has no direction."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """What the noise of one picture comes from."""

    seed: int
    towards: int | None = None
    """Seed of the noise that it is moved towards; None where it is not."""
    strength: float = 0.0
    """How far: 0 is the noise of `seed`, 1 that of `towards`."""


@contextmanager
def generator_of(seeds: Seeds) -> Iterator[torch.Generator]:
    """A generator for one call of a pipeline, drawn on the CPU. While the context is open, normal noise that is drawn
    from it is mixed: that with which the picture begins, and that which some schedulers add at each step."""
    if seeds.towards is None or seeds.strength == 0:
        yield _seeded(seeds.seed)
    elif seeds.strength == 1:
        yield _seeded(seeds.towards)
    else:
        own = _seeded(seeds.seed)
        with _Mixed(own, _seeded(seeds.towards), seeds.strength):
            yield own


def slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """The tensor that lies at `share` (0 to 1) of the arc from `first` to `second`, taken as vectors of any shape."""
    a, b = first.double().flatten(), second.double().flatten()
    cosine = (a @ b) / (a.norm() * b.norm())
    if cosine > _PARALLEL:
        mixed = torch.lerp(a, b, share)
    else:
        angle = torch.acos(cosine)
        mixed = (a * torch.sin((1 - share) * angle) + b * torch.sin(share * angle)) / torch.sin(angle)
    return mixed.to(first.dtype).view_as(first)


class _Mixed(TorchFunctionMode):
    """Mixes what `torch.randn` draws from one generator with what it would draw from another one.

    Every diffusers pipeline and scheduler draws there, each at its own place and under its own name; so the draw itself
    is what they have in common.
    """

    def __init__(self, own: torch.Generator, other: torch.Generator, strength: float) -> None:
        super().__init__()
        self._own, self._other, self._strength = own, other, strength

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        given: Mapping[str, Any] = kwargs or {}
        drawn = func(*args, **given)
        if func is not torch.randn or given.get("generator") is not self._own:
            return drawn
        return slerp(drawn, func(*args, **{**given, "generator": self._other}), self._strength)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
