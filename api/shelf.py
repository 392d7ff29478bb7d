"""What goes beside a checkpoint: LoRAs and VAEs of one's own, and what makes pictures larger."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.models.own.shelf import ShelfFile
from pipeline.models.upscalers import Upscaler

router = APIRouter(prefix="/api/v1", tags=["models"])


class WeightFile(BaseModel):
    """A LoRA or a VAE, by the name that requests give it."""

    name: str
    family: str
    """The family of models that it is for; empty where the file does not tell."""
    bytes: int
    trigger_words: tuple[str, ...]
    notes: tuple[str, ...]
    refusal: str
    """Why it cannot be used, as a clause that follows its name; empty when it can."""


class UpscalerFacts(BaseModel):
    """One way to make a picture larger, by the name that requests give it."""

    name: str
    sentence: str
    factor: int | None
    """How many times as large its network makes a picture; null without a network."""
    refusal: str
    """Why it cannot be used, as a clause that follows its name; empty when it can."""


@router.get("/loras")
async def loras(studio: StudioDep) -> list[WeightFile]:
    """The LoRAs in the `loras` folder, usable or not."""
    return [_told(file) for file in await in_thread(studio.models.shelf.loras)]


@router.get("/vaes")
async def vaes(studio: StudioDep) -> list[WeightFile]:
    """The VAEs in the `vae` folder, usable or not."""
    return [_told(file) for file in await in_thread(studio.models.shelf.vaes)]


@router.get("/upscalers")
async def upscalers(studio: StudioDep) -> list[UpscalerFacts]:
    """Lanczos, the upscaler that comes with Darkroom, and the networks in the `upscalers` folder, usable or not."""
    return [_of(one) for one in await in_thread(studio.models.upscalers)]


def _of(one: Upscaler) -> UpscalerFacts:
    return UpscalerFacts(name=one.name, sentence=one.sentence, factor=one.factor, refusal=one.refusal)


def _told(file: ShelfFile) -> WeightFile:
    kind = file.kind
    return WeightFile(
        name=file.name,
        family=kind.family,
        bytes=file.bytes,
        trigger_words=kind.triggers,
        notes=kind.notes,
        refusal=file.refusal,
    )
