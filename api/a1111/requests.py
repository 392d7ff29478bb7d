"""From A1111's words to a `GenerationRequest`, with a sentence for all that was done otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import ImageOps

from api.a1111 import refusals, unchosen
from api.a1111.access import Chosen
from api.a1111.encoded import decoded
from api.a1111.fields import ImageToImage, Options, Picture, TextToImage
from api.a1111.second_pass import second_pass
from pipeline.errors import InvalidRequest
from pipeline.gallery.translate import Translation, without_tags
from pipeline.models.registry import ModelRecord
from pipeline.pictures.desk import Taken
from pipeline.request import GenerationRequest, parse_request
from pipeline.studio import Studio

FITS = ("resize", "crop", "pad")
"""What each `resize_mode` of A1111 is called here; 3, in latents, is not done."""
NO_VAE = frozenset({"", "none", "automatic"})
_BEHIND = re.compile(r"(\.(safetensors|ckpt|pt))?(\s*\[[0-9a-f]{6,64}\])?$", re.IGNORECASE)
"""What A1111 puts behind a name: a file's ending, and its hash."""


class Asked(NamedTuple):
    """A request, and what its client should know about it."""

    request: GenerationRequest
    notes: tuple[str, ...]


def from_text(body: TextToImage, studio: Studio, chosen: Chosen) -> Asked:
    """Raises `InvalidRequest`, and `UnknownModel` for a checkpoint that there is not."""
    record, found = _settled(body, studio, chosen)
    if body.enable_hr:
        size = (found.fields["width"] or record.size.native[0], found.fields["height"] or record.size.native[1])
        found.fields["upscale"] = second_pass(body, size, record, found.notes)
    return Asked(parse_request(**found.fields), tuple(found.notes))


def from_image(body: ImageToImage, studio: Studio, chosen: Chosen) -> Asked:
    """Keeps the pictures to work from. Raises as `from_text` does, and `OutputUnwritable`."""
    _, found = _settled(body, studio, chosen)
    found.fields |= _picture(body, studio, found.notes)
    if body.mask:
        found.fields |= _mask(body, studio, found.notes)
    return Asked(parse_request(**found.fields), tuple(found.notes))


def name_in(text: str) -> str:
    """The name of a checkpoint or a VAE in a setting, without ending and hash; empty where none is chosen."""
    return _BEHIND.sub("", text)


def _settled(body: Picture, studio: Studio, chosen: Chosen) -> tuple[ModelRecord, Translation]:
    """The model, and the fields that words and pictures have in common."""
    found = Translation(notes=list(refusals.check(body)))
    overridden = body.override_settings
    record = chosen.record(studio, name_in(overridden.sd_model_checkpoint))
    vae = name_in(overridden.sd_vae) or chosen.vae or ""
    found.notes += _left_out(overridden)
    found.fields |= {
        "prompt": without_tags(body.prompt, found),
        "negative_prompt": body.negative_prompt,
        "model": record.id,
        "vae": None if vae.lower() in NO_VAE else vae,
        "seed": body.seed,
        "num_images": body.batch_size * body.n_iter,
    }
    if body.subseed_strength:
        found.fields |= {"variation_seed": body.subseed, "variation_strength": body.subseed_strength}
    unchosen.settle(body, record, found)
    return record, found


def _left_out(overridden: Options) -> Iterator[str]:
    """A sentence about the settings that are not overridden."""
    if overridden.skips:
        yield "The text encoders are read to their end: clip skip is left out."
    if overridden.others:
        yield f"These settings of A1111 are not here: {', '.join(overridden.others)[:200]}."


def _picture(body: ImageToImage, studio: Studio, notes: list[str]) -> dict[str, Any]:
    if len(body.init_images) != 1:
        message = f"There are {len(body.init_images) or 'no'} pictures to work from."
        raise InvalidRequest(message, "Send one in init_images.", field="init_images")
    if body.resize_mode >= len(FITS):
        raise InvalidRequest("Latents are not resized here.", "Choose a resize_mode of 0, 1 or 2.", field="resize_mode")
    taken = studio.desk.take(decoded(body.init_images[0], "init_images"))
    notes += taken.notes
    return {"image": taken.id, "strength": body.denoising_strength, "fit": FITS[body.resize_mode]}


def _mask(body: ImageToImage, studio: Studio, notes: list[str]) -> dict[str, Any]:
    """What is drawn anew. A1111 softens the mask's edge to both sides; here pixels outside it stay bit by bit."""
    if body.inpainting_fill >= 2:
        message = "What is under the mask is neither filled with noise nor emptied here."
        raise InvalidRequest(message, "Choose an inpainting_fill of 1, the original.", field="inpainting_fill")
    if body.inpainting_fill == 0:
        notes.append("What is under the mask is not filled with colours (0): the original is begun with (1).")
    if body.inpaint_full_res and body.inpaint_full_res_padding:
        notes.append("Around the masked part half of its longer side is shown, whatever inpaint_full_res_padding says.")
    taken = _taken_mask(body, studio)
    notes += taken.notes
    area = "masked" if body.inpaint_full_res else "whole"
    return {"mask": taken.id, "mask_feather": body.mask_blur, "mask_area": area}


def _taken_mask(body: ImageToImage, studio: Studio) -> Taken:
    taken = studio.desk.take_mask(decoded(body.mask, "mask"))
    if not body.inpainting_mask_invert:
        return taken
    return studio.desk.take_mask(ImageOps.invert(studio.inputs.get(taken.id)))
