"""Where and how a model is held here: the plan of `pipeline.models.planning.plan`, as torch and diffusers take it.

What a device cannot do, and what fits where, is decided in that plan; this file only carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import diffusers
import torch
from accelerate import dispatch_model  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict

from pipeline.models.planning.ladder import TILE, Case
from pipeline.models.planning.plan import Plan, ladder
from pipeline.models.planning.plan import plan as planned
from pipeline.models.registry import DType, ModelRecord
from pipeline.request import Precision


class Placement(BaseModel):
    """A settled plan; `auto` no longer occurs in it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["cuda", "mps", "xpu", "cpu"]
    device: str
    """As torch names it, such as `cuda:0`."""
    label: str
    """As recipes name it, such as `cuda:0 (NVIDIA GeForce RTX 4070)`."""
    dtype: DType
    dtypes: dict[str, DType] = {}
    """Components in another dtype."""
    quantization: Precision
    """What holds for the components that are worth it."""
    precisions: dict[str, Precision] = {}
    """What holds for each component; those that are not named are not quantised."""
    offload: Literal["none", "model", "group", "sequential"]
    devices: dict[str, str] = {}
    """Component → device, when they are spread over several."""
    tiled: bool = False
    """Whether the VAE decodes in tiles."""
    fits: bool = True
    """Whether the plan says so; one that does not was asked for, or nothing does."""
    possible: bool = True
    """Whether it is worth trying all the same: figures are estimates."""
    peak_bytes: int = 0
    """Memory that it takes at most on its device."""
    nearest: tuple[str, ...] = ()
    """What would fit."""
    reason: str
    sentence: str = ""
    """The plan in one line."""
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What two placements must share so that one loaded pipeline serves both, whatever their reasons."""
        held = tuple(tuple(sorted(each.items())) for each in (self.dtypes, self.precisions, self.devices))
        return self.device, self.dtype, self.quantization, self.offload, self.tiled, held

    @property
    def how(self) -> str:
        """Such as `quantization nf4 and offload model on cuda:0 (NVIDIA GeForce RTX 4070)`."""
        words = [f"quantization {self.quantization}", f"offload {self.offload}", *(["tiles"] if self.tiled else [])]
        return f"{', '.join(words[:-1])} and {words[-1]} on {self.label}"

    def dtype_of(self, component: str) -> torch.dtype:
        """The dtype of one component."""
        return _torch_dtype(self.dtypes.get(component, self.dtype))

    def device_of(self, component: str) -> str:
        """The device that a component computes on, as torch names it."""
        return self.devices.get(component, self.device)

    def makes_the_same(self, other: Placement) -> bool:
        """Whether pictures do not depend on which of the two holds the model: only where weights rest differs."""
        resting = {"offload": self.offload, "devices": self.devices}
        return other.model_copy(update=resting).key == self.key


def place(case: Case, candidates: Sequence[ModelRecord] = ()) -> Placement:
    """What `planning.plan.plan` says, whose arguments these are. Raises `InvalidRequest` for what the device cannot
    do."""
    return _of(planned(case, candidates))


def below(case: Case, failed: Collection[tuple[object, ...]]) -> Placement | None:
    """The best placement that fits, of those further down the ladder than those with the keys `failed`."""
    rungs = [_of(rung) for rung in ladder(case)]
    lowest = max((place for place, rung in enumerate(rungs) if rung.key in failed), default=-1)
    return next((rung for rung in rungs[lowest + 1 :] if rung.fits), None)


def fitting(case: Case) -> set[tuple[object, ...]]:
    """The keys of all placements that fit."""
    return {_of(rung).key for rung in ladder(case) if rung.fits}


def torch_name(kind: str, index: int) -> str:
    """A device as torch names it, such as `cuda:0`."""
    return kind if kind in {"mps", "cpu"} else f"{kind}:{index}"


def settle(pipeline: Any, placement: Placement) -> None:
    """Put a loaded diffusers pipeline where `placement` says, with diffusers' and accelerate's own calls."""
    device = torch.device(placement.device)
    if placement.tiled:
        _decode_in_tiles(pipeline.vae)
    if placement.devices:
        _spread(pipeline, placement.devices)
    elif placement.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif placement.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    elif placement.offload == "group":
        pipeline.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=_streams(placement))
    else:
        pipeline.to(device)


def _of(plan: Plan) -> Placement:
    names = {part.name: torch_name(plan.kind, part.device) for part in plan.components}
    return Placement(
        kind=plan.kind,
        device=torch_name(plan.kind, plan.index),
        label=plan.device,
        dtype=plan.dtype,
        dtypes={part.name: part.dtype for part in plan.components if part.dtype != plan.dtype},
        quantization=plan.quantization,
        precisions={part.name: part.precision for part in plan.components},
        offload=plan.offload,
        devices=names if plan.spread else {},
        tiled=plan.tiled,
        fits=plan.fits,
        possible=plan.possible,
        peak_bytes=plan.peak_device_bytes,
        nearest=plan.nearest,
        reason=plan.reason,
        sentence=plan.sentence,
        warnings=plan.warnings,
    )


def _spread(pipeline: Any, devices: Mapping[str, str]) -> None:
    """Each component on its device, with hooks that bring its inputs there: what diffusers does for
    `device_map="balanced"`, which it offers only while it loads a pipeline itself."""
    for name, device in devices.items():
        component = getattr(pipeline, name, None)
        if isinstance(component, torch.nn.Module):
            dispatch_model(component, {"": device}, force_hooks=True)
    pipeline.hf_device_map = dict(devices)


def _decode_in_tiles(vae: Any) -> None:
    """Tiles of `TILE` pixels at most; the other classes have smaller ones by themselves."""
    vae.enable_tiling()
    if isinstance(vae, diffusers.AutoencoderKL):
        vae.tile_sample_min_size = TILE
        vae.tile_latent_min_size = TILE // 2 ** (len(vae.config.block_out_channels) - 1)


def _streams(placement: Placement) -> bool:
    """Overlapping copies with computing needs streams, which only these two have."""
    return placement.kind in {"cuda", "xpu"}


def _torch_dtype(name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, name)
    return dtype
