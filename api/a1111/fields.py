"""The bodies of this interface, in A1111's own words. Unknown keys are left alone, and null is as good as nothing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pipeline.request import MAX_SEED, Guidance, Height, Steps, Width

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Words = Annotated[str, StringConstraints(max_length=20_000)]
"""A prompt and all that A1111 has people write into it."""
CLIP_SKIP = "CLIP_stop_at_last_layers"
Count = Annotated[int, Field(ge=1, le=1000)]
Pixels = Annotated[int, Field(ge=0, le=65_536)]


class Body(BaseModel):
    """What every body here has in common."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class Options(Body):
    """The settings of A1111 that mean something here, and the names of those that do not."""

    sd_model_checkpoint: Name = ""
    sd_vae: Name = ""
    CLIP_stop_at_last_layers: int = 1
    others: list[Name] = Field([], exclude=True)
    """Filled in here from the other keys, whatever a client sends."""

    @model_validator(mode="before")
    @classmethod
    def _telling_the_others(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {name: data[name] for name in ("sd_model_checkpoint", "sd_vae", CLIP_SKIP) if name in data}
        return known | {"others": sorted(set(data) - set(known))}

    @property
    def skips(self) -> bool:
        """Whether text encoders are to be left before their end."""
        return self.CLIP_stop_at_last_layers > 1


class Picture(Body):
    """What words and pictures alike can be drawn with; without a number, the model's own."""

    prompt: Words = ""
    negative_prompt: Words = ""
    styles: list[Name] = []
    seed: int = Field(-1, ge=-1, le=MAX_SEED)
    subseed: int = Field(-1, ge=-1, le=MAX_SEED)
    subseed_strength: float = Field(0.0, ge=0, le=1)
    batch_size: Count = 1
    n_iter: Count = 1
    steps: Steps = None
    cfg_scale: Guidance = None
    width: Width = None
    height: Height = None
    sampler_name: Name = ""
    sampler_index: Name = Field("", description="Of old, what is called `sampler_name` now.")
    scheduler: Name = ""
    override_settings: Options = Options()
    send_images: bool = True

    restore_faces: bool = False
    tiling: bool = False
    script_name: Name = ""
    alwayson_scripts: dict[Name, Any] = Field({}, exclude=True)
    refiner_checkpoint: Name = ""
    seed_resize_from_w: int = 0
    seed_resize_from_h: int = 0

    eta: float = 0
    s_churn: float = 0
    s_tmin: float = 0
    s_tmax: float = 0
    s_noise: float = 1
    s_min_uncond: float = 0

    @property
    def sampler(self) -> str:
        """The name of the sampler, wherever it stands."""
        return self.sampler_name or self.sampler_index


class TextToImage(Picture):
    """A picture of words alone, and what becomes of it in a second pass."""

    denoising_strength: float = Field(0.75, ge=0, le=1)
    enable_hr: bool = False
    hr_scale: float = 2.0
    hr_upscaler: Name = "Latent"
    hr_second_pass_steps: int = 0
    hr_resize_x: Pixels = 0
    hr_resize_y: Pixels = 0
    hr_checkpoint_name: Name = ""
    hr_sampler_name: Name = ""
    hr_scheduler: Name = ""
    hr_prompt: Words = ""
    hr_negative_prompt: Words = ""
    firstphase_width: int = 0
    firstphase_height: int = 0


class ImageToImage(Picture):
    """A picture of another one, or of a part of it."""

    init_images: list[str] = []
    resize_mode: int = Field(0, ge=0, le=3)
    denoising_strength: float = Field(0.75, ge=0, le=1)
    mask: str = ""
    mask_blur: int = Field(4, ge=0, le=256)
    inpainting_fill: int = Field(0, ge=0, le=3)
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: bool = False
    initial_noise_multiplier: float = 1
    include_init_images: bool = False


class Enlargement(Body):
    """How pictures are made larger."""

    resize_mode: int = Field(0, ge=0, le=1, description="0 is by `upscaling_resize`, 1 is to a size.")
    upscaling_resize: float = Field(2.0, gt=0)
    upscaling_resize_w: Pixels = 512
    upscaling_resize_h: Pixels = 512
    upscaler_1: Name = "None"
    upscaler_2: Name = "None"
    extras_upscaler_2_visibility: float = 0
    gfpgan_visibility: float = 0
    codeformer_visibility: float = 0


class OneToEnlarge(Enlargement):
    """One picture to be made larger."""

    image: str = ""


class NamedFile(Body):
    """A picture as base64, and what it is called."""

    data: str = ""
    name: str = ""


class ManyToEnlarge(Enlargement):
    """Several pictures to be made larger."""

    imageList: list[NamedFile] = Field([], max_length=100)  # noqa: N815 - A1111's name


class OnePicture(Body):
    """A picture to be looked at."""

    image: str = ""
