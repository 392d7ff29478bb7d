"""ControlNets: put beside a loaded model for one job, and taken away again.

    with followed(loaded, request, stores.shelf.folder, stores.inputs) as guided:
        pipeline = guided.pipeline("text")
        pipeline(**arguments, **guided.arguments(pipeline, guided.maps), generator=noise)

Afterwards the model is as it was. A net of another kind, or of other widths than the model's, is refused by its
configuration, before any weights are read.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from accelerate import dispatch_model  # type: ignore[import-untyped]
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

from pipeline.engine.component import read_component
from pipeline.engine.derive import derived
from pipeline.engine.extras import sha256_of
from pipeline.engine.load import Loaded
from pipeline.engine.placement import Placement, settle
from pipeline.inputs import Task
from pipeline.models.control_fit import Net
from pipeline.models.controlnets import ControlFamily, ControlNets, family_for, net_in
from pipeline.pictures.store import InputStore
from pipeline.recipe import ControlUsed
from pipeline.request import GenerationRequest

_HOOKED = {"model", "sequential"}
"""Ways to rest in main memory that hang hooks on every component of one pipeline."""


@dataclass(frozen=True, slots=True)
class Control:
    """A net that takes part, and the map that it follows."""

    net: Net
    image: Image.Image
    """The map, of mode RGB and any size."""
    scale: float = 1.0
    """How strongly it is followed; 1 is as trained, and 0 not at all."""
    start: float = 0.0
    end: float = 1.0
    """From which to which part of the steps, 0 to 1."""


class Guided:
    """A loaded model with nets beside it."""

    def __init__(self, loaded: Loaded, controls: Sequence[Control], nets: Sequence[Any]) -> None:
        self._loaded, self._controls, self._nets = loaded, controls, nets
        self._pipelines: dict[Task, Any] = {}

    @property
    def maps(self) -> list[Image.Image]:
        """Of every net, whole."""
        return [control.image for control in self._controls]

    @property
    def digests(self) -> list[str]:
        """SHA-256 of every net's weights."""
        return [_digest(control.net) for control in self._controls]

    def pipeline(self, task: Task) -> Any:
        """The family's ControlNet pipeline for `task`, which shares the model's components. Raises `InvalidRequest`
        when there is none."""
        if task not in self._pipelines:
            kind = family_for(self._loaded.record, task, len(self._nets)).pipelines[task]
            net = self._nets[0] if len(self._nets) == 1 else list(self._nets)
            pipeline = derived(self._loaded, kind, controlnet=net)
            if self._loaded.placement.offload in _HOOKED:
                settle(pipeline, self._loaded.placement)
            self._pipelines[task] = pipeline
        return self._pipelines[task]

    def arguments(self, pipeline: Any, maps: Sequence[Image.Image]) -> dict[str, Any]:
        """What a call of `pipeline` is told of the nets; `maps` are theirs, at the size that is drawn at.

        By its signature: pipelines for words of the oldest families call the map `image`, and some know no beginning
        and no end.
        """
        accepted = inspect.signature(pipeline.__call__).parameters
        told: dict[str, list[Any]] = {
            "control_image" if "control_image" in accepted else "image": list(maps),
            "controlnet_conditioning_scale": [control.scale for control in self._controls],
            "control_guidance_start": [control.start for control in self._controls],
            "control_guidance_end": [control.end for control in self._controls],
        }
        alone = len(self._controls) == 1
        return {name: values[0] if alone else values for name, values in told.items() if name in accepted}


@contextmanager
def followed(loaded: Loaded, request: GenerationRequest, weights: Path, inputs: InputStore) -> Iterator[Guided | None]:
    """Hold the nets of `request` beside the model while the context lasts; None where it names none.

    One's own nets are in `weights`, maps in `inputs`. Raises what `ControlNets.check` and `controlled` do, and
    `NotFound` for a map that is not kept any more.
    """
    if not request.controls:
        yield None
        return
    nets = ControlNets.read(weights)
    nets.check(loaded.record, request)
    controls = [
        Control(net_in(nets.find(use.net)), inputs.get(use.image).convert("RGB"), use.scale, use.start, use.end)
        for use in request.controls
    ]
    with controlled(loaded, controls) as guided:
        yield guided


def used(request: GenerationRequest, guided: Guided | None) -> tuple[ControlUsed, ...]:
    """The nets of `request` as recipes say them."""
    digests = guided.digests if guided else []
    return tuple(
        ControlUsed(**use.model_dump(), sha256=digest) for use, digest in zip(request.controls, digests, strict=True)
    )


@contextmanager
def controlled(loaded: Loaded, controls: Sequence[Control]) -> Iterator[Guided]:
    """Hold the nets of `controls`, of which there is at least one, beside the model while the context lasts.

    Raises `InvalidRequest` for a family without nets, for several where one is possible, and for a net that does not
    fit; `ModelUnavailable` for weights that lack tensors; and what the libraries raise.
    """
    family = family_for(loaded.record, "text", len(controls))
    for control in controls:
        control.net.check(loaded.record, family)
    nets = [_loaded(control.net, loaded, family) for control in controls]
    try:
        with _steady(loaded.pipeline.vae):
            yield Guided(loaded, controls, nets)
    finally:
        if loaded.placement.offload in _HOOKED:
            settle(loaded.pipeline, loaded.placement)  # the hooks again as its own pipeline wants them


def _digest(net: Net) -> str:
    """SHA-256 of the net's weights; of several files, that of theirs."""
    each = [sha256_of(net.folder / name) for name in net.files]
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


def _loaded(net: Net, loaded: Loaded, family: ControlFamily) -> Any:
    """The net in the dtype of the model's denoiser, where that computes."""
    placement = loaded.placement
    found = read_component(
        getattr(diffusers, family.net),
        net.folder,
        f"the ControlNet {net.name}",
        loaded.record,
        dtype=placement.dtype_of(family.denoiser),
        variant=net.variant or None,
    )
    return _placed(found, placement, placement.device_of(family.denoiser))


def _placed(net: Any, placement: Placement, device: str) -> Any:
    if placement.devices:
        return dispatch_model(net, {"": device}, force_hooks=True)
    if placement.offload == "group":
        net.enable_group_offload(onload_device=device, offload_type="leaf_level")
        return net
    return net if placement.offload in _HOOKED else net.to(device)


@contextmanager
def _steady(vae: Any) -> Iterator[None]:
    """Let the VAE encode to the mean instead of drawing around it.

    Pipelines draw when they encode a map, some of them from torch's common generator: the same seed would make another
    picture each time. Others use the picture's generator, and its noise would no longer be that of the seed.
    """
    own = vae.encode

    def encode(*args: Any, **kwargs: Any) -> Any:
        encoded = own(*args, **kwargs)
        if spread := getattr(encoded, "latent_dist", None):
            encoded.latent_dist = _Mean(spread.parameters)
        return encoded

    vae.encode = encode
    try:
        yield
    finally:
        del vae.encode


class _Mean(DiagonalGaussianDistribution):  # type: ignore[misc]
    """diffusers' own `deterministic` one still takes numbers from the generator."""

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        mean: torch.Tensor = self.mean
        return mean
