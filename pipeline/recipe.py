"""What was really done for one picture: the request with every default resolved, and the circumstances."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from pipeline.inputs import Area, ControlUse, Fit, InputId, Margins, Upscale
from pipeline.request import GenerationRequest, Precision, parse_request


class ComponentUse(BaseModel):
    """How one component of the pipeline was held while the picture was made."""

    model_config = ConfigDict(frozen=True)

    parameters: int
    dtype: str
    quantization: Precision = "none"
    bytes_before: int
    """Size of the weights in `dtype`, without quantisation."""
    bytes_after: int
    """Size of the weights as held in memory."""


class FileUse(BaseModel):
    """A weight file beside the checkpoint that took part: a LoRA, a VAE or an upscaler's network."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    weight: float | None = None
    """Of a LoRA."""


class ControlUsed(ControlUse):
    """A ControlNet that took part, and the map that it followed."""

    model_config = ConfigDict(extra="ignore")

    sha256: str
    """Of its weights."""


class HostedUse(BaseModel):
    """Who made a picture that was made elsewhere, and what is known of how."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    """Name of the provider."""
    host: str
    """Where the prompt went."""
    model: str
    """The provider's own name of the model, as it answered."""
    request_id: str = ""
    """The provider's id of the request, by which its support finds it."""
    seeded: bool = False
    """Whether the seed was sent. Otherwise it only names the file, and nothing makes the picture again."""
    guided: bool = False
    """Whether a guidance was sent, 0 too; otherwise the provider chose it, and 0 says nothing."""
    revised_prompt: str = ""
    """What the provider made of the prompt, where it says so."""
    usage: dict[str, int] = {}
    """What the provider counted for the call, of which the picture may be one of several: tokens or pictures."""


class Recipe(BaseModel):
    """Everything that made one picture: the request with every default resolved, and the circumstances.

    `Recipe → GenerationRequest` always works (`to_request`): that is reuse, replay and verify.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    prompt: str
    negative_prompt: str = ""
    model: str
    model_revision: str
    """Commit of the hub repository, or a digest of the local files."""
    num_inference_steps: int
    guidance_scale: float
    width: int
    height: int
    seed: int
    variation_seed: int | None = None
    """Seed of the noise towards which that of `seed` was moved; None where it was not."""
    variation_strength: float = 0.0
    scheduler: str
    scheduler_config: dict[str, Any]
    arguments: dict[str, Any] = {}
    """Further arguments that the pipeline was called with, such as `max_sequence_length`."""
    quantization: Precision
    component_quantization: dict[str, Precision] = {}
    """Components that were held otherwise than `quantization` says."""
    vae_tiling: bool = False
    """Whether the picture was decoded in tiles, which leaves faint differences."""
    offload: Literal["none", "model", "group", "sequential"]
    loras: tuple[FileUse, ...] = ()
    vae: FileUse | None = None
    image: InputId | None = None
    """The picture that was worked from; its SHA-256 is that of a recipe if the studio made it."""
    strength: float | None = None
    fit: Fit = "crop"
    mask: InputId | None = None
    mask_feather: int = 0
    mask_area: Area = "whole"
    outpaint: Margins | None = None
    controls: tuple[ControlUsed, ...] = ()
    upscale: Upscale | None = None
    upscaler: FileUse | None = None
    """The network that enlarged it; None where none did."""
    detail: FileUse | None = None
    """The model's own LoRA that took part where the model drew over the enlarged picture."""
    work_size: tuple[int, int] | None = None
    """Width and height that were asked of the model; None where that is the picture's size."""
    origin: Recipe | None = None
    """How `image` was made, where the studio knows: all of a chain is in its last picture."""
    options: dict[str, str] = {}
    """The settings that only this hosted model has."""
    hosted: HostedUse | None = None
    """Of a picture that a provider made; steps, guidance, scheduler and weights are then not known."""
    dtype: str
    device: str
    """Device kind and name, such as `cuda:0 (NVIDIA GeForce RTX 4070)`."""
    components: dict[str, ComponentUse] = {}
    versions: dict[str, str]
    seconds: float
    """Time from the first denoising step to decoded pixels."""
    load_seconds: float = 0.0
    """How long the model took to load for the job that made this picture; 0 when it was loaded already."""
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    sha256: str
    """SHA-256 of the raw RGB bytes, row by row."""
    sha256_on_white: str = ""
    """The same with white behind its transparent parts, as which it is worked from; empty for an opaque picture."""

    @property
    def pixels(self) -> str:
        """The `InputId` of the picture: what others name that are made from it."""
        return f"{self.sha256_on_white or self.sha256}-{self.width}x{self.height}"

    def to_request(self, **changes: Any) -> GenerationRequest:
        """The request that makes this picture again, with `changes` applied."""
        width, height = self.work_size or (self.width, self.height)
        fields: dict[str, Any] = {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "model": self.model,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
            "width": width,
            "height": height,
            "seed": self.seed,
            "variation_seed": -1 if self.variation_seed is None else self.variation_seed,
            "variation_strength": self.variation_strength,
            "scheduler": self.scheduler or None,
            "quantization": self.quantization,
            "component_quantization": self.component_quantization,
            "offload": self.offload,
            "loras": [{"name": use.name, "weight": use.weight} for use in self.loras],
            "vae": self.vae.name if self.vae else None,
            "image": self.image,
            "strength": self.strength,
            "fit": self.fit,
            "mask": self.mask,
            "mask_feather": self.mask_feather,
            "mask_area": self.mask_area,
            "outpaint": self.outpaint,
            "controls": [use.model_dump(exclude={"sha256"}) for use in self.controls],
            "upscale": self.upscale,
            "options": self.options,
        }
        return parse_request(**(fields | self.left_open | changes))

    @property
    def left_open(self) -> dict[str, Any]:
        """The fields of a request that this says nothing of, as a request leaves them open: of a picture that a
        provider made, whose model has no weights here and perhaps no seed."""
        if self.hosted is None:
            return {}
        known = {
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale or self.hosted.guided,
            "scheduler": self.scheduler,
        }
        unknown = dict.fromkeys(name for name, told in known.items() if not told)
        automatic = dict.fromkeys(("quantization", "offload"), "auto")
        return unknown | automatic | ({} if self.hosted.seeded else {"seed": -1})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a recipe as a PNG carries it; raises pydantic's `ValidationError` on anything else."""
        return cls.model_validate_json(text)
