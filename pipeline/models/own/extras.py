"""Whether a model can take the LoRAs and the VAE that a request names, told from headers before anything is loaded."""

from __future__ import annotations

from pipeline.errors import InvalidRequest
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.own.shelf import Shelf, ShelfFile
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest

LORA_FAMILIES = frozenset({"sd15", "sd21", "sdxl", "sd3", "flux", "cogview4", "sana", "qwen"})
"""Families whose diffusers pipelines can load LoRAs."""
VAE_FAMILIES = frozenset({"sd15", "sd21", "sdxl", "sd3", "flux", "pixart-alpha", "pixart-sigma", "lumina", "hunyuan"})
"""Families whose VAE is a plain `AutoencoderKL`, as those in single files are."""


def check_extras(record: ModelRecord, request: GenerationRequest, shelf: Shelf) -> list[str]:
    """A sentence for each file of the request that may not do what is hoped for.

    Raises `InvalidRequest` for a family that takes none, and for files of another one; `NotFound` for a file that is
    not on the shelf.
    """
    return [*_check_loras(record, request, shelf), *_check_vae(record, request, shelf)]


def takes_loras(record: ModelRecord) -> bool:
    """Whether LoRAs can be added to the model."""
    return record.family in LORA_FAMILIES


def takes_vae(record: ModelRecord) -> bool:
    """Whether the model's VAE can be replaced."""
    return record.family in VAE_FAMILIES


def fitting(record: ModelRecord, files: list[ShelfFile]) -> list[ShelfFile]:
    """Those of a shelf's LoRAs or VAEs that `record` can take, for a page to offer."""
    takes = {"lora": takes_loras(record), "vae": takes_vae(record)}
    return [file for file in files if not file.refusal and takes.get(file.kind.kind) and not _unfitting(record, file)]


def _check_loras(record: ModelRecord, request: GenerationRequest, shelf: Shelf) -> list[str]:
    if request.loras and not takes_loras(record):
        raise InvalidRequest(
            f"{record.name} takes no LoRAs: the library has no loader for its family.",
            f"Remove them, or choose a model of one of these families: {', '.join(sorted(LORA_FAMILIES))}.",
            field="loras",
        )
    if doubled := {use.name for use in request.loras if [u.name for u in request.loras].count(use.name) > 1}:
        raise InvalidRequest(
            f"The LoRA “{min(doubled)}” is named twice.", "Name it once, with one weight.", field="loras"
        )
    doubts = []
    for use in request.loras:
        file = shelf.lora(use.name)
        if reason := _unfitting(record, file):
            raise InvalidRequest(f"The LoRA “{use.name}” {reason}.", _lora_remedy(record, shelf), field="loras")
        if not file.kind.family:
            doubts.append(f"Which family the LoRA “{use.name}” is for cannot be told from its file; it is tried.")
    return doubts


def _check_vae(record: ModelRecord, request: GenerationRequest, shelf: Shelf) -> list[str]:
    if request.vae is None:
        return []
    if not takes_vae(record):
        raise InvalidRequest(
            f"The VAE of {record.name} cannot be replaced: it is of a kind that has no single files.",
            "Remove it, or choose another model.",
            field="vae",
        )
    file = shelf.vae(request.vae)
    if reason := _unfitting(record, file):
        raise InvalidRequest(f"The VAE “{request.vae}” {reason}.", "Choose another one.", field="vae")
    if file.kind.family or record.family not in {"sd15", "sd21", "sdxl"}:
        return []
    return [
        f"VAEs of Stable Diffusion 1.5 and of SDXL look alike: if colours are wrong, “{request.vae}” is for the other."
    ]


def _unfitting(record: ModelRecord, file: ShelfFile) -> str:
    """Why `file` does not go with `record`, as a clause; empty when it may."""
    kind = file.kind
    if kind.kind == "vae":
        own = _latent_channels(record)
        if kind.latent_channels != own:
            return f"has {kind.latent_channels} latent channels, and {record.name} has {own}"
        return f"is for {kind.family}, and {record.name} is {record.family}" if _other_vae(record, kind.family) else ""
    if kind.family and kind.family != record.family:
        return f"is for {kind.family}, and {record.name} is {record.family}"
    return ""


def _other_vae(record: ModelRecord, family: str) -> bool:
    """Whether a VAE says that it belongs to the other of the two families whose VAEs look alike."""
    likes = {"sd15": "sd15", "sd21": "sd15", "sdxl": "sdxl"}
    return bool(family) and record.family in likes and likes[record.family] != family


def _latent_channels(record: ModelRecord) -> int:
    """Channels of the latents that the model's own VAE reads; 4 is the class's default."""
    key = record.components.get("vae")
    config = ARCHITECTURES[key].config if key else {}
    return int(config.get("latent_channels", 16 if key is None and record.family in {"sd3", "flux"} else 4))


def _lora_remedy(record: ModelRecord, shelf: Shelf) -> str:
    names = ", ".join(file.name for file in fitting(record, shelf.loras()))
    return f"For {record.family} there are: {names}." if names else f"There is none for {record.family} yet."
