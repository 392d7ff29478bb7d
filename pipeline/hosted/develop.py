"""From what came to a picture for the gallery."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from PIL import Image

from pipeline.errors import ProviderFailed
from pipeline.events import Picture
from pipeline.hosted import keys
from pipeline.hosted.call import Arrival, Call
from pipeline.pictures.decode import on_white
from pipeline.recipe import HostedUse, Recipe

OPAQUE = (255, 255)
"""Least and most of an opacity that hides all that is behind."""


def draft(call: Call, arrival: Arrival, number: int, seconds: float, versions: dict[str, str]) -> Recipe:
    """The recipe of the picture `number` of a call, counted from 0, but for its pixels. `seconds` is how long the call
    took."""
    request, (width, height) = call.request, call.size
    used = HostedUse(
        provider=call.provider.name,
        host=keys.host(call.base_url),
        model=arrival.model or call.model.source,
        request_id=arrival.request_id,
        seeded=call.model.seed,
        guided=call.model.darkroom and request.guidance_scale is not None,
        revised_prompt=arrival.revised_prompt,
        usage=dict(arrival.usage),
    )
    return Recipe(
        prompt=request.prompt,
        negative_prompt=call.model.negative(request),
        model=call.model.id,
        model_revision="",
        width=width,
        height=height,
        seed=request.seed + number,
        scheduler_config={},
        quantization="none",
        offload="none",
        image=request.image,
        fit=request.fit,
        mask=request.mask,
        options=call.options,
        hosted=used,
        dtype="uint8",
        device=f"{used.provider} ({used.host})",
        versions=versions,
        seconds=seconds,
        sha256="",
        **_sampled(call),
    )


def develop(recipe: Recipe, data: bytes, index: int) -> Picture:
    """The picture in a file, whose recipe lacks only what pixels tell. Raises `ProviderFailed` when there is none."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            rgb, opacity = image.convert("RGB"), _opacity(image)
    except Exception as error:  # over a damaged file Pillow's decoders stumble in every way there is
        message = f"What {recipe.device} sent is no picture that can be read: {error}."
        raise ProviderFailed(message, "Run the job again.") from None
    asked = recipe.width, recipe.height
    whole = recipe.model_copy(
        update={
            "width": rgb.width,
            "height": rgb.height,
            "sha256": _sha256(rgb),
            "sha256_on_white": _sha256(on_white(rgb, opacity)) if opacity else "",
            "work_size": None if rgb.size == asked else asked,
        }
    )
    return Picture(index=index, rgb=rgb.tobytes(), recipe=whole, alpha=opacity.tobytes() if opacity else b"")


def _opacity(image: Image.Image) -> Image.Image | None:
    """Mode L, 255 where the picture is opaque; None where it is so all over."""
    opacity = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    return opacity if opacity and opacity.getextrema() != OPAQUE else None


def _sha256(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _sampled(call: Call) -> dict[str, Any]:
    """How the picture was to be drawn, as fields of the recipe; nothing, 0 or None where the provider chose that."""
    if not call.model.darkroom:
        return {"num_inference_steps": 0, "guidance_scale": 0.0, "scheduler": ""}
    request = call.request
    return {
        "num_inference_steps": request.num_inference_steps or 0,
        "guidance_scale": request.guidance_scale or 0.0,
        "scheduler": request.scheduler or "",
        "strength": request.strength,
        "mask_feather": request.mask_feather,
    }
