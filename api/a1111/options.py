"""The settings of A1111 that mean something here: the checkpoint, and the VAE beside it."""

from __future__ import annotations

from typing import Any

from api.a1111.access import Chosen, ChosenDep, routes
from api.a1111.answers import model_name
from api.a1111.fields import CLIP_SKIP, Options
from api.a1111.requests import NO_VAE, name_in
from api.access import StudioDep, in_thread
from pipeline.errors import InvalidRequest
from pipeline.studio import Studio

router = routes()


@router.get("/options")
async def options(studio: StudioDep, chosen: ChosenDep) -> dict[str, Any]:
    """What is set."""
    return await in_thread(_options, studio, chosen)


@router.post("/options")
async def set_options(body: Options, studio: StudioDep, chosen: ChosenDep) -> dict[str, list[str]]:
    """Choose the checkpoint, by its title, and the VAE for all clients of this interface, until the server ends.
    `ignored` names the settings that mean nothing here."""
    return await in_thread(_set, body, studio, chosen)


@router.get("/cmd-flags")
async def flags() -> dict[str, Any]:
    """What A1111 is started with, as far as it holds here."""
    return {"api": True}


def _options(studio: Studio, chosen: Chosen) -> dict[str, Any]:
    record = chosen.record(studio)
    return {
        "sd_model_checkpoint": record.id,
        "sd_checkpoint_hash": "",
        "sd_vae": chosen.vae or "Automatic",
        CLIP_SKIP: 1,
        "samples_save": True,
        "samples_format": "png",
        "live_previews_enable": True,
        "sd_checkpoint_name": model_name(record.id),
    }


def _set(body: Options, studio: Studio, chosen: Chosen) -> dict[str, list[str]]:
    """All or nothing. Raises `UnknownModel`, and `NotFound` and `InvalidRequest` as the shelf does for a VAE."""
    if body.skips:
        raise InvalidRequest(
            "The text encoders are read to their end here.", f"Leave {CLIP_SKIP} at 1.", field=CLIP_SKIP
        )
    title, vae = name_in(body.sd_model_checkpoint), name_in(body.sd_vae)
    record = studio.models.find(title) if title else None
    if vae.lower() not in NO_VAE:
        vae = studio.models.shelf.vae(vae).name
    if record is not None:
        chosen.model = record.id
    if "sd_vae" in body.model_fields_set:
        chosen.vae = None if vae.lower() in NO_VAE else vae
    return {"ignored": body.others}
