"""The settings that a picture carries, as far as they can be used here, and a sentence for each that cannot.

Ours have a `Recipe`, from which all comes back. Pictures of A1111 and its relatives have a text (`infotext.py`) whose
settings mean nearly the same here. What comes from a picture is never trusted: each value goes through the request's
own validation, and what fails it is left out and named.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import InvalidRequest
from pipeline.gallery import infotext
from pipeline.gallery.metadata import A1111_KEY, RECIPE_KEY, read_texts
from pipeline.gallery.translate import translate
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest

WORKED_FROM = ("image", "strength", "fit", "mask", "mask_feather", "mask_area", "outpaint", "controls")
"""The fields of a request about pictures that somebody brought along, or that were made before."""
_MAX_TEXT = 200_000
"""Characters of settings that are read; those of real pictures are below a tenth of it."""

_FOREIGN = {
    "workflow": "ComfyUI",
    "prompt": "ComfyUI",
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "invokeai_graph": "InvokeAI",
    "fooocus_scheme": "Fooocus",
    "Comment": "another program",
    "Dream": "another program",
    "use_stable_diffusion_model": "Easy Diffusion",
}
"""Keys under which other programs keep settings in forms of their own."""


class Restored(BaseModel):
    """What a picture says about how it was made."""

    model_config = ConfigDict(frozen=True)

    source: Literal["darkroom", "a1111"]
    fields: dict[str, Any]
    """Of a `GenerationRequest`: those that were found, each valid. LoRAs and VAE may not be on this machine."""
    notes: tuple[str, ...] = ()
    """A sentence for everything that could not be restored or was changed."""
    model_name: str = ""
    """How the picture names its model: an id of the registry in ours, often a file's name in others."""
    schedulers: tuple[str, ...] = ()
    """Scheduler classes that its sampler may mean where one name stands for several: it depends on the model."""

    def scheduler_for(self, usable: Sequence[str]) -> str | None:
        """The scheduler for a model that can use those classes; None when the picture says nothing that fits."""
        wanted = (self.fields.get("scheduler"), *self.schedulers)
        return next((name for name in wanted if name in usable), None)


def read_settings(data: bytes) -> Restored:
    """The settings in a PNG, JPEG or WebP. Raises `InvalidRequest` for what is no picture or carries none."""
    check_is_picture(data)
    texts = read_texts(data)
    notes = []
    if RECIPE_KEY in texts:
        try:
            return _from_recipe(Recipe.from_json(texts[RECIPE_KEY]))
        except ValidationError:
            notes.append("Its recipe is damaged or from a newer Darkroom; what the text beside it says is used.")
    found = _from_text(texts)
    return found.model_copy(update={"notes": (*notes, *found.notes)})


def check_is_picture(data: bytes) -> None:
    """Raise `InvalidRequest` for what is no PNG, JPEG or WebP."""
    if not data:
        raise InvalidRequest("The file is empty.", "Choose a picture.")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]):
            return
    except Image.DecompressionBombError:
        raise InvalidRequest("The picture is too large to be read safely.", "Choose a smaller one.") from None
    except ValueError:
        raise InvalidRequest("The texts in this picture are too large to be read safely.", "Choose another.") from None
    except (OSError, SyntaxError):
        raise InvalidRequest(
            "This file is not a picture that can be read: a PNG, JPEG or WebP, whole and undamaged.",
            "Choose the file that the studio saved.",
        ) from None


def _from_recipe(recipe: Recipe) -> Restored:
    width, height = recipe.work_size or (recipe.width, recipe.height)
    fields = {
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "model": recipe.model,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        "width": width,
        "height": height,
        "seed": recipe.seed,
        "scheduler": recipe.scheduler,
        "quantization": recipe.quantization,
        "component_quantization": recipe.component_quantization,
        "offload": recipe.offload,
        "loras": [{"name": use.name, "weight": use.weight} for use in recipe.loras],
        "vae": recipe.vae.name if recipe.vae else None,
        "upscale": recipe.upscale,
    }
    if recipe.variation_seed is not None:
        fields |= {"variation_seed": recipe.variation_seed, "variation_strength": recipe.variation_strength}
    if recipe.hosted is not None:
        fields = _hosted(recipe, fields)
    valid, notes = _checked(fields)
    valid |= _worked_from(recipe)
    return Restored(source="darkroom", fields=valid, notes=tuple(notes), model_name=recipe.model)


def _hosted(recipe: Recipe, fields: dict[str, Any]) -> dict[str, Any]:
    """What is known of a picture that a provider made."""
    own = {"prompt", "negative_prompt", "model", "num_inference_steps", "guidance_scale", "width", "height", "seed"}
    known = own - recipe.left_open.keys()
    return {name: value for name, value in fields.items() if name in known} | {"options": recipe.options}


def _worked_from(recipe: Recipe) -> dict[str, Any]:
    """The fields about pictures that took part, which are right or wrong together only; none when they are wrong, which
    no recipe of ours is."""
    try:
        request = recipe.to_request()
    except InvalidRequest:
        return {}
    return {name: value for name in WORKED_FROM if (value := getattr(request, name))}


def _from_text(texts: dict[str, str]) -> Restored:
    text = texts.get(A1111_KEY, "")
    if not text.strip() or text.lstrip().startswith("{"):
        raise _nothing_to_read(texts)
    if len(text) > _MAX_TEXT:
        raise InvalidRequest("The text in this picture is too long for settings of a picture.", "Choose another.")
    found = translate(infotext.parse(text))
    valid, notes = _checked(found.fields)
    notes += found.notes
    if "seed" in valid and not found.is_ours:
        notes.append("Other programs draw other noise from a seed: expect a similar picture, not the same one.")
    return Restored(
        source="a1111", fields=valid, notes=tuple(notes), model_name=found.model_name, schedulers=found.schedulers
    )


def _nothing_to_read(texts: dict[str, str]) -> InvalidRequest:
    program = "another program" if texts.get(A1111_KEY, "").strip() else ""
    program = next((name for key, name in _FOREIGN.items() if key in texts), program)
    if program:
        return InvalidRequest(
            f"This picture carries settings of {program}, in a form that is not read here.",
            "Pictures of Darkroom and those with A1111's text can be restored.",
        )
    return InvalidRequest(
        "This picture carries no settings.",
        "Websites and messengers often remove them: choose the file as it was saved.",
    )


def _checked(fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Those fields that a request takes, as it takes them, and a sentence for each other one."""
    valid: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in fields.items():
        try:
            valid[name] = getattr(GenerationRequest(**({"prompt": "any"} | {name: value})), name)
        except ValidationError as error:
            notes.append(_refusal(name, value, error))
    if ("width" in valid) != ("height" in valid):
        notes.append(f"So is the {'width' if 'width' in valid else 'height'}.")
        valid = {name: value for name, value in valid.items() if name not in ("width", "height")}
    return valid, notes


_CALLED = {
    "num_inference_steps": "Steps",
    "guidance_scale": "Guidance",
    "negative_prompt": "The negative prompt",
    "loras": "The LoRAs",
    "vae": "The VAE",
    "upscale": "The enlargement",
    "quantization": "Quantisation",
    "component_quantization": "Quantisation of components",
    "variation_seed": "The variation's seed",
    "variation_strength": "The variation's strength",
}


def _refusal(name: str, value: object, error: ValidationError) -> str:
    called = _CALLED.get(name, f"The {name}")
    shown = f" “{value}”" if isinstance(value, str | int | float) and len(str(value)) <= 40 else ""
    reason = error.errors(include_url=False)[0]["msg"]
    return f"{called}{shown} cannot be used and is left out: {reason[:1].lower()}{reason[1:]}."
