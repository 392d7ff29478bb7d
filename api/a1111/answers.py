"""What `txt2img` and `img2img` answer: the pictures, the request again, and `info`, which says what was really done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from api.a1111.encoded import encoded
from api.a1111.fields import Picture
from pipeline.events import SavedImage
from pipeline.gallery.metadata import a1111_text, model_hash, sampler_of
from pipeline.jobs.state import JobState
from pipeline.recipe import Recipe
from pipeline.studio import Studio

HASH = 10
"""Characters that A1111 shows of a hash."""
_AREAS = {"whole": "Whole picture", "masked": "Only masked"}


class Made(BaseModel):
    """Pictures, and how they were made."""

    images: list[str]
    """PNGs as base64, each with its settings inside."""
    parameters: dict[str, Any]
    """The request as it was understood, without its pictures and what takes no part."""
    info: str
    """JSON."""


def made(studio: Studio, body: Picture, state: JobState, images: Sequence[SavedImage], notes: Sequence[str]) -> Made:
    """The answer for the finished `images` of a job; at least one. Reads their files."""
    brought = set() if getattr(body, "include_init_images", False) else {"init_images", "mask"}
    return Made(
        images=[encoded(studio.gallery.png(image.id)) for image in images] if body.send_images else [],
        parameters=body.model_dump(exclude=brought),
        info=json.dumps(_info(body, state, [image.recipe for image in images], [*notes, *state.warnings])),
    )


def model_name(model: str) -> str:
    """An id without its owner, as A1111 calls a checkpoint."""
    return model.rpartition("/")[2]


def _info(body: Picture, state: JobState, recipes: list[Recipe], warnings: list[str]) -> dict[str, Any]:
    """All that A1111 tells, of the first picture where it tells one value, and `warnings`, which it does not know."""
    first = recipes[0]
    return {
        **_words_and_seeds(recipes),
        "width": first.width,
        "height": first.height,
        "sampler_name": sampler_of(first.scheduler),
        "cfg_scale": first.guidance_scale,
        "steps": first.num_inference_steps,
        "batch_size": body.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": model_name(first.model),
        "sd_model_hash": model_hash(first),
        "sd_vae_name": first.vae.name if first.vae else None,
        "sd_vae_hash": first.vae.sha256[:HASH] if first.vae else None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": _strength(first),
        "extra_generation_params": _further(first),
        "index_of_first_image": 0,
        "infotexts": [a1111_text(recipe) for recipe in recipes],
        "styles": [],
        "job_timestamp": timestamp(state),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": "Darkroom",
        "warnings": warnings,
    }


def _words_and_seeds(recipes: list[Recipe]) -> dict[str, Any]:
    """Of every picture. A subseed of -1 is none."""
    first, subseeds = recipes[0], [-1 if one.variation_seed is None else one.variation_seed for one in recipes]
    return {
        "prompt": first.prompt,
        "all_prompts": [recipe.prompt for recipe in recipes],
        "negative_prompt": first.negative_prompt,
        "all_negative_prompts": [recipe.negative_prompt for recipe in recipes],
        "seed": first.seed,
        "all_seeds": [recipe.seed for recipe in recipes],
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "subseed_strength": first.variation_strength,
    }


def _strength(recipe: Recipe) -> float | None:
    """How much was drawn over, whether a picture that was brought along or an enlarged one; None where nothing was."""
    return recipe.strength if recipe.image else recipe.upscale.strength if recipe.upscale else None


def _further(recipe: Recipe) -> dict[str, Any]:
    """What else was done, by the names that A1111 gives it in the text of a picture."""
    found: dict[str, Any] = {}
    if (strength := _strength(recipe)) is not None:
        found["Denoising strength"] = strength
    if recipe.mask:
        found |= {"Mask blur": recipe.mask_feather, "Inpaint area": _AREAS[recipe.mask_area]}
    if recipe.upscale:
        found |= {"Hires upscale": recipe.upscale.factor, "Hires upscaler": recipe.upscale.upscaler}
    if recipe.loras:
        found["Lora hashes"] = ", ".join(f"{use.name}: {use.sha256[:HASH]}" for use in recipe.loras)
    return found


def timestamp(state: JobState) -> str:
    """When a job was queued, as A1111 writes it."""
    return state.created_at.astimezone().strftime("%Y%m%d%H%M%S")
