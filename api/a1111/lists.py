"""What there is to choose from: checkpoints, samplers, upscalers, LoRAs, VAEs; and what A1111 has and the studio not.

No list tells where a file lies: a path is nobody's business.
"""

from __future__ import annotations

from typing import Any

import psutil

from api.a1111.access import Chosen, ChosenDep, routes
from api.a1111.answers import model_name
from api.a1111.unchosen import samplers
from api.access import StudioDep, in_thread
from pipeline.studio import Studio

router = routes()

Listing = list[dict[str, Any]]


@router.get("/sd-models")
async def models(studio: StudioDep, chosen: ChosenDep) -> Listing:
    """The checkpoints whose files are here, and the one that is chosen. Any other that is known can be named too."""
    return await in_thread(_models, studio, chosen)


@router.get("/samplers")
async def sampler_list(studio: StudioDep, chosen: ChosenDep) -> Listing:
    """Those that the chosen checkpoint can draw with, its own first."""
    usable = await in_thread(lambda: samplers(chosen.record(studio)))
    return [{"name": name, "aliases": [kind], "options": {}} for name, kind in usable.items()]


@router.get("/schedulers")
async def schedule_list() -> Listing:
    """The one noise schedule: the model's own."""
    return [{"name": "automatic", "label": "Automatic", "aliases": None, "default_rho": -1, "need_inner_model": False}]


@router.get("/upscalers")
async def upscaler_list(studio: StudioDep) -> Listing:
    """What makes pictures larger."""
    usable = [one for one in await in_thread(studio.models.upscalers) if not one.refusal]
    named = [("None", None), *((one.name, one.factor) for one in usable)]
    return [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": factor}
        for name, factor in named
    ]


@router.get("/loras")
async def loras(studio: StudioDep) -> Listing:
    """Those that `<lora:name:weight>` in a prompt can name."""
    usable = [file for file in await in_thread(studio.models.shelf.loras) if not file.refusal]
    return [{"name": file.name, "alias": file.name, "path": file.name, "metadata": {}} for file in usable]


@router.get("/sd-vae")
async def vaes(studio: StudioDep) -> Listing:
    """Those that `sd_vae` can name."""
    usable = [file for file in await in_thread(studio.models.shelf.vaes) if not file.refusal]
    return [{"model_name": file.name, "filename": file.name} for file in usable]


@router.get("/memory")
async def memory(studio: StudioDep) -> dict[str, Any]:
    """Main memory, and that of the first GPU as it was when the engine started. In bytes."""
    now = psutil.virtual_memory()
    ram = {"free": now.available, "used": now.total - now.available, "total": now.total}
    gpus = studio.engine.hardware.gpus
    if not gpus:
        return {"ram": ram, "cuda": {"error": "There is no GPU."}}
    free, total = gpus[0].memory_free, gpus[0].memory_total
    return {"ram": ram, "cuda": {"system": {"free": free, "used": total - free, "total": total}}}


@router.post("/refresh-checkpoints")
@router.post("/refresh-loras")
@router.post("/refresh-vae")
async def refresh(studio: StudioDep) -> dict[str, Any]:
    """Look at the folders again; LoRAs and VAEs are looked for each time anyway."""
    await in_thread(studio.models.refresh)
    return {}


@router.get("/scripts")
async def scripts() -> dict[str, list[str]]:
    """None."""
    return {"txt2img": [], "img2img": []}


@router.get("/embeddings")
async def embeddings() -> dict[str, dict[str, Any]]:
    """None."""
    return {"loaded": {}, "skipped": {}}


@router.get("/latent-upscale-modes")
@router.get("/hypernetworks")
@router.get("/face-restorers")
@router.get("/realesrgan-models")
@router.get("/prompt-styles")
@router.get("/script-info")
async def nothing() -> Listing:
    """None."""
    return []


def _models(studio: Studio, chosen: Chosen) -> Listing:
    current = chosen.record(studio).id
    known = [one.id for one in studio.models.records if one.id == current or studio.models.inventory(one.id).here]
    return [
        {
            "title": model,
            "model_name": model_name(model),
            "hash": None,
            "sha256": None,
            "filename": model,
            "config": None,
        }
        for model in known
    ]
