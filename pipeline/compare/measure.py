"""The quantisation lab's table: what each picture took, and how far it is from a chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest
from pipeline.events import SavedImage
from pipeline.gallery import difference
from pipeline.recipe import Recipe
from pipeline.request import Precision


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to measure."""

    image: SavedImage
    png: bytes


class Measurement(BaseModel):
    """What one picture took, and how far it is from the reference."""

    model_config = ConfigDict(frozen=True)

    image_id: str
    model: str
    quantization: Precision
    component_quantization: dict[str, Precision]
    """Components that were held otherwise."""
    bytes_held: int | None
    """Weights as they were held in memory; None where the recipe does not say."""
    bytes_unquantized: int | None
    """The same weights without quantisation."""
    load_seconds: float | None
    """None where the model was loaded already."""
    seconds_per_step: float | None
    """Time of the picture by its steps, decoding included; None where a provider made it, which tells of no steps."""
    reference: bool
    """Whether the others are compared with this one."""
    psnr: float | None
    """Against the reference, in decibels; None where identical or not comparable."""
    ssim: float | None
    """Against the reference; None where not comparable."""
    largest: int | None
    """Largest difference of any value from the reference, 0 to 255; None where not comparable."""
    changed: float | None
    """Share of the pixels that differ from the reference at all; None where not comparable."""
    identical: bool
    note: str = ""
    """Why it could not be compared, as a sentence."""


def measure(samples: Sequence[Sample], reference: int = 0) -> tuple[Measurement, ...]:
    """A row for each picture, in their order; `reference` is the place of the one that the others are compared with.

    Raises `InvalidRequest` when there is none at that place.
    """
    if not 0 <= reference < len(samples):
        raise InvalidRequest("There is no such picture to compare with.", "Choose another one.", field="reference")
    chosen = samples[reference]
    return tuple(_measured(sample, chosen) for sample in samples)


def _measured(sample: Sample, reference: Sample) -> Measurement:
    recipe = sample.image.recipe
    apart, note = _apart(sample, reference)
    return Measurement(
        image_id=sample.image.id,
        model=recipe.model,
        quantization=recipe.quantization,
        component_quantization=recipe.component_quantization,
        bytes_held=sum(use.bytes_after for use in recipe.components.values()) or None,
        bytes_unquantized=sum(use.bytes_before for use in recipe.components.values()) or None,
        load_seconds=recipe.load_seconds or None,
        seconds_per_step=_pace(recipe),
        reference=sample is reference,
        psnr=apart.psnr if apart else None,
        ssim=apart.ssim if apart else None,
        largest=apart.largest if apart else None,
        changed=apart.changed if apart else None,
        identical=apart.identical if apart else False,
        note=note,
    )


def _apart(sample: Sample, reference: Sample) -> tuple[difference.Difference | None, str]:
    try:
        return difference.measure(reference.png, sample.png), ""
    except InvalidRequest as error:
        return None, error.info.message


def _pace(recipe: Recipe) -> float | None:
    if recipe.hosted is not None:
        return None
    return recipe.seconds / max(recipe.num_inference_steps, 1)
