"""What goes beside a checkpoint: LoRAs and VAEs of one's own, ControlNets, and what enlarges and selects."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from api.access import StudioDep, in_thread
from pipeline.models.controlnets import ControlNetRecord, Map
from pipeline.models.own.shelf import ShelfFile
from pipeline.models.registry import Licence
from pipeline.models.segmenters import RECORDS, SegmenterRecord
from pipeline.models.upscalers import Upscaler
from pipeline.studio import Studio

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


class ControlNetFacts(BaseModel):
    """A ControlNet, by the name that requests give it."""

    id: str
    name: str
    maps: tuple[Map, ...]
    """What it was trained to follow; empty when nobody has said."""
    family: str
    """The family of models that it is for; empty when its files do not tell."""
    models: tuple[str, ...]
    """The only models that it is for; empty when it does for all of its family."""
    licence: Licence | None
    """None for one's own."""
    download_bytes: int
    """0 where it is not known, and for one's own."""
    notes: tuple[str, ...]
    here: bool
    """Whether its files are on this computer."""


class SegmenterFacts(BaseModel):
    """A segmentation model, which finds what is pointed at."""

    id: str
    """Its repository on the hub."""
    name: str
    licence: Licence
    download_bytes: int
    command: str
    """What fetches it."""
    here: bool
    """Whether its files are on this computer."""


@router.get("/loras")
async def loras(studio: StudioDep) -> list[WeightFile]:
    """List the LoRAs in the `loras` folder, usable or not."""
    return [_told(file) for file in await in_thread(studio.models.shelf.loras)]


@router.get("/vaes")
async def vaes(studio: StudioDep) -> list[WeightFile]:
    """List the VAEs in the `vae` folder, usable or not."""
    return [_told(file) for file in await in_thread(studio.models.shelf.vaes)]


@router.get("/upscalers")
async def upscalers(studio: StudioDep) -> list[UpscalerFacts]:
    """List what makes pictures larger: Lanczos, the upscaler that comes with Darkroom, and the networks in the
    `upscalers` folder, usable or not."""
    return [_of(one) for one in await in_thread(studio.models.upscalers)]


def _of(one: Upscaler) -> UpscalerFacts:
    return UpscalerFacts(name=one.name, sentence=one.sentence, factor=one.factor, refusal=one.refusal)


@router.get("/controlnets")
async def controlnets(studio: StudioDep, model: str | None = None) -> list[ControlNetFacts]:
    """List the ControlNets that are known, and one's own in the `controlnet` folder; for `model`, if it is named."""
    return await in_thread(_controlnets, studio, model)


@router.get("/segmenters")
async def segmenters() -> list[SegmenterFacts]:
    """List the segmentation models that are known; one's own in the `sams` folder go before them."""
    return await in_thread(lambda: [_segmenter(record) for record in RECORDS])


def _segmenter(record: SegmenterRecord) -> SegmenterFacts:
    facts = record.model_dump(include={"id", "name", "licence", "download_bytes"})
    return SegmenterFacts(**facts, command=record.command, here=record.place is not None)


def _controlnets(studio: Studio, model: str | None) -> list[ControlNetFacts]:
    nets = studio.models.controlnets
    chosen = nets.records if model is None else nets.fitting(studio.models.find(model))
    return [_known(record) for record in chosen]


def _known(record: ControlNetRecord) -> ControlNetFacts:
    """Without its place: a path is nobody's business."""
    facts = record.model_dump(include=set(ControlNetFacts.model_fields))
    return ControlNetFacts(**facts, here=record.place is not None)


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
