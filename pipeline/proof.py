"""The proof of an installation: the demo draws on every device, in every precision, in a real worker.

All pictures are of one seed, so they must show the same: the one that the processor draws at full precision is what
the others are measured by.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.events import SavedImage
from pipeline.gallery.difference import measure
from pipeline.models.choose import FALLBACK
from pipeline.models.hardware import Device
from pipeline.report.facts import Proof
from pipeline.request import Precision
from pipeline.settings import Settings
from pipeline.studio import Studio

PRECISIONS: tuple[Precision, ...] = ("none", "int8", "nf4")
SAME = 20.0
"""Decibels of PSNR below which a device does not draw what it should. On a processor the demo reaches 46.7 in eight
bits and 31.8 in four; other seeds of the same words reach 15 to 29, so it is nonsense that this notices."""
BLANK = 16
"""A picture whose values are less than that apart, of 255, shows nothing; a device that computes NaN draws such."""

_PROMPT, _SEED, _STEPS = "a red house by a lake at dusk", 1, 8


@dataclass(frozen=True, slots=True)
class _Shot:
    """One attempt: a picture and what it took, or why there is none."""

    device: str
    precision: Precision
    image: SavedImage | None = None
    png: bytes = b""
    memory_bytes: int | None = None
    error: DarkroomError | None = None


def prove(settings: Settings, watch: Callable[[str], None] = lambda what: None) -> list[Proof]:
    """Draw on each device that a worker finds, in each precision; `watch` hears what is being tried.

    Nothing is left on disk but quantised components, in the cache. What goes wrong is a finding; raises only as
    `Studio` does, and `OSError` where not even a temporary folder can be made.
    """
    with TemporaryDirectory(prefix="darkroom-") as folder:
        own = {"model": FALLBACK, "outputs": Path(folder), "device": None, "preload": False, "workers": 1}
        shots = list(_shots(settings.model_copy(update=own), watch))
    reference = next((shot for shot in reversed(shots) if shot.precision == "none" and shot.image), None)
    return [_judged(shot, reference) for shot in shots]


def _shots(settings: Settings, watch: Callable[[str], None]) -> Iterator[_Shot]:
    """The first worker finds out which devices there are; the last of them is always the processor."""
    with Studio(settings) as studio:
        yield from _on_one(studio, watch)
        others = studio.engine.hardware.devices[1:]
    for device in others:
        with Studio(settings.model_copy(update={"device": _name(device)})) as studio:
            yield from _on_one(studio, watch)


def _on_one(studio: Studio, watch: Callable[[str], None]) -> Iterator[_Shot]:
    for precision in PRECISIONS:
        watch(f"Drawing on {studio.engine.hardware.best.label}, quantisation {precision}")
        yield _shot(studio, precision)


def _name(device: Device) -> str:
    """As `DARKROOM_DEVICE` takes it."""
    return device.kind if device.kind in {"cpu", "mps"} else f"{device.kind}:{device.index}"


def _shot(studio: Studio, precision: Precision) -> _Shot:
    try:
        [image] = studio.generate(_PROMPT, quantization=precision, seed=_SEED, num_inference_steps=_STEPS)
    except DarkroomError as error:
        return _Shot(studio.engine.hardware.best.label, precision, error=error)
    [worker] = studio.worker_states
    return _Shot(image.recipe.device, precision, image, studio.gallery.png(image.id), worker.memory_bytes)


def _judged(shot: _Shot, reference: _Shot | None) -> Proof:
    if shot.image is None:
        return Proof(device=shot.device, quantization=shot.precision, ok=_failure(shot.error), finding=_why(shot.error))
    recipe = shot.image.recipe
    psnr = measure(shot.png, reference.png).psnr if reference else None
    ok, finding = _finding(shot, psnr)
    return Proof(
        device=shot.device,
        quantization=shot.precision,
        ok=ok,
        finding=finding,
        seconds=recipe.seconds,
        load_seconds=recipe.load_seconds,
        weight_bytes=sum(use.bytes_after for use in recipe.components.values()),
        memory_bytes=shot.memory_bytes,
        psnr=psnr,
        sha256=recipe.sha256,
    )


def _finding(shot: _Shot, psnr: float | None) -> tuple[bool, str]:
    if _is_blank(shot.png):
        return False, "The picture is blank."
    if psnr is not None and psnr < SAME:
        return False, "The picture is not the one that the processor draws."
    if shot.image is not None and shot.image.recipe.quantization != shot.precision:
        return False, f"It was drawn in {shot.image.recipe.quantization}."
    return True, "It draws."


def _is_blank(png: bytes) -> bool:
    with Image.open(io.BytesIO(png)) as image:
        extrema = image.convert("RGB").getextrema()
    return all(high - low < BLANK for low, high in extrema)  # type: ignore[misc]


def _failure(error: DarkroomError | None) -> bool | None:
    """None for what the planner refuses, which is no fault."""
    return None if isinstance(error, InvalidRequest) else False


def _why(error: DarkroomError | None) -> str:
    return error.info.sentence if error else "There is no picture."
