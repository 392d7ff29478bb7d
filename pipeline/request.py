"""What is asked for: `GenerationRequest`, which travels unchanged from page, API or shell to the engine.

A request is validated once, at the door, whether it came from a form, JSON or flags. What depends on the model
(its size multiple, its step range) is checked against the model's record by `pipeline.models.registry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from pipeline.errors import InvalidRequest
from pipeline.inputs import (
    MAX_CONTROLS,
    MAX_FEATHER,
    USUAL_STRENGTH,
    Area,
    ControlUse,
    FileName,
    Fit,
    InputId,
    Margins,
    Task,
    Upscale,
    size_of,
    unseen,
)

MAX_SEED = 2**32 - 1
"""Largest seed; the common ground of torch, NumPy and the A1111 text format."""

MAX_IMAGES = 16
MAX_PROMPT_CHARACTERS = 4000

MAX_LORAS = 8
MAX_OPTIONS = 20
MAX_STAGES = 7
"""How many more pictures may be made of each, one from the other."""

Quantization = Literal["auto", "none", "nf4", "nf4-full", "int8"]
"""`nf4-full` also quantises the layers that transformers keeps in 16 bits, T5's `wo`."""
Precision = Literal["none", "nf4", "nf4-full", "int8"]
Offload = Literal["auto", "none", "model", "group", "sequential"]

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_PROMPT_CHARACTERS)]


class LoraUse(BaseModel):
    """A LoRA that takes part, by the name of its file in the `loras` folder, without folder or ending."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: FileName
    weight: float = Field(1.0, ge=-4, le=4, description="How strongly it takes part; 1 is as it was trained.")


OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
OptionValue = Annotated[str, StringConstraints(max_length=100)]
Steps = Annotated[int | None, Field(ge=1, le=1000, description="Denoising steps.")]
Guidance = Annotated[float | None, Field(ge=0, le=100, description="Classifier-free guidance; 0 and 1 are off.")]
Width = Annotated[int | None, Field(ge=64, le=8192, description="Width in pixels.")]
Height = Annotated[int | None, Field(ge=64, le=8192, description="Height in pixels.")]
Scheduler = Annotated[str | None, Field(max_length=100, description="Scheduler class; None is the model's own.")]
Loras = Annotated[tuple[LoraUse, ...], Field(max_length=MAX_LORAS, description="LoRAs to add to the model.")]
Vae = Annotated[FileName | None, Field(description="A VAE of the `vae` folder instead of the model's own.")]
Enlargement = Annotated[Upscale | None, Field(description="Enlarges the finished picture.")]


class Stage(BaseModel):
    """What is made of each picture next, by another model or the same: image to image.

    Words and model that are None are those of the stage before; of all else, None means the model's own default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Registry id or a unique short form of it; None is the model before."
    )
    prompt: Prompt | None = Field(None, description="What the picture shows; None is what it showed before.")
    negative_prompt: Prompt | None = Field(None, description="What it should not show; None is as before.")
    strength: float | None = Field(
        None, ge=0, le=1, description="How much is drawn anew; None is the usual, 0 only for an enlargement."
    )
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    width: Width = None
    height: Height = None
    fit: Fit = Field("crop", description="How the picture before comes to the shape of width and height.")
    scheduler: Scheduler = None
    quantization: Quantization = Field("auto", description="Weight precision; auto is what the planner chooses.")
    loras: Loras = ()
    vae: Vae = None
    upscale: Enlargement = None


class GenerationRequest(BaseModel):
    """One wish for one or more pictures. `None` means the model's own default; `0.0` is a value.

    Picture *i* of `num_images` uses seed `seed + i`, so each can be made again alone. With a `variation_strength` all
    share `seed`, and picture *i* uses `variation_seed + i`: they are more of the same, each a little different.

    With `then` it is a chain: each picture is handed on from stage to stage, and each stage keeps its own. Pictures are
    counted stage by stage, so *i* goes on, and no two stages draw with the same noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: Annotated[Prompt, Field(description="What the picture shows. Only a mere enlargement needs none.")]
    negative_prompt: Annotated[Prompt, Field(description="What the picture should not show.")] = ""
    model: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Registry id or a unique short form of it; None is the studio's default."
    )
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    width: Width = None
    height: Height = None
    seed: int = Field(-1, ge=-1, le=MAX_SEED, description="Seed of the first picture; -1 draws one.")
    num_images: int = Field(1, ge=1, le=MAX_IMAGES, description="How many pictures.")
    variation_strength: float = Field(
        0.0, ge=0, le=1, description="How far the noise of `seed` goes over into that of `variation_seed`; 0 is off."
    )
    variation_seed: int = Field(
        -1, ge=-1, le=MAX_SEED, description="Seed of the first picture's variation; -1 draws one. Used with a strength."
    )
    scheduler: Scheduler = None
    quantization: Quantization = Field("auto", description="Weight precision; auto is what the planner chooses.")
    component_quantization: dict[str, Quantization] = Field(
        {}, description="Precision of single components, such as `transformer`, instead of `quantization`."
    )
    offload: Offload = Field("auto", description="Where weights rest on a GPU machine; auto is what fits best.")
    loras: Loras = ()
    vae: Vae = None
    image: InputId | None = Field(None, description="The picture to work from.")
    strength: float | None = Field(
        None, ge=0, le=1, description="How much of `image` is drawn anew; None is the usual, 0 only for an enlargement."
    )
    fit: Fit = Field("crop", description="How `image` and maps come to the shape of width and height.")
    mask: InputId | None = Field(None, description="Which part of `image` is drawn anew: white is, black stays.")
    mask_feather: int = Field(0, ge=0, le=MAX_FEATHER, description="Pixels inside the mask's edge that go over.")
    mask_area: Area = Field("whole", description="Draw the whole picture, or the masked part at full resolution.")
    outpaint: Margins | None = Field(None, description="Pixels by which `image` is continued at its sides.")
    controls: tuple[ControlUse, ...] = Field(
        (), max_length=MAX_CONTROLS, description="ControlNets that take part, each with the map that it follows."
    )
    upscale: Enlargement = None
    options: dict[OptionName, OptionValue] = Field(
        {}, max_length=MAX_OPTIONS, description="Settings that only this hosted model has, as its record lists them."
    )
    then: tuple[Stage, ...] = Field((), max_length=MAX_STAGES, description="What is made of each picture next.")

    @property
    def num_pictures(self) -> int:
        """All that it makes: `num_images` in each stage."""
        return self.num_images * (1 + len(self.then))

    def models(self, first: str) -> tuple[str, ...]:
        """The model of each stage, where `first` is that of the first."""
        names = [first]
        for stage in self.then:
            names.append(stage.model or names[-1])
        return tuple(names)

    @property
    def task(self) -> Task:
        """What this is about."""
        if self.image is None:
            return "text"
        if self.strength == 0:
            return "enlarge"
        return "inpaint" if self.mask or self.outpaint else "image"

    @property
    def used_strength(self) -> float:
        """Part of the steps that are run: `strength`, or what is usual for the task; all of them for words alone."""
        return USUAL_STRENGTH.get(self.task, 1.0) if self.strength is None else self.strength

    @property
    def input_ids(self) -> tuple[str, ...]:
        """Every picture that it brings along."""
        brought = (self.image, self.mask, *(use.image for use in self.controls))
        return tuple(dict.fromkeys(one for one in brought if one is not None))

    def stage(self, number: int, image: InputId) -> GenerationRequest:
        """What makes a picture of stage `number` of `then`, counted from 1, out of `image`, which is one of the stage
        before. Raises pydantic's `ValidationError` for what cannot be meant together."""
        fields = self.then[number - 1].model_dump()
        for name in ("prompt", "negative_prompt", "model"):
            told = [getattr(one, name) for one in (self, *self.then[:number])]
            fields[name] = next((given for given in reversed(told) if given is not None), None)
        return GenerationRequest(**fields, image=image, seed=self.seed, offload=self.offload)

    @model_validator(mode="after")
    def _words_for_what_is_drawn(self) -> Self:
        if not self.prompt and self.task != "enlarge":
            raise PydanticCustomError("no_prompt", "The prompt is empty", {"field": "prompt"})
        return self

    @model_validator(mode="after")
    def _pictures_go_together(self) -> Self:
        for field, sentence in _contradictions(self):
            raise PydanticCustomError("contradiction", sentence, {"field": field})
        return self

    @model_validator(mode="after")
    def _every_seed_in_range(self) -> Self:
        counts = {"variation_seed": self.num_images} if self.variation_strength else {"seed": self.num_pictures}
        if self.then:
            counts["seed"] = self.num_pictures
        for field, count in counts.items():
            if getattr(self, field) + count - 1 > MAX_SEED:
                told = {"field": field, "most": MAX_SEED - count + 1}
                raise PydanticCustomError("seed_range", "Picture i uses {field} + i, so choose at most {most}", told)
        return self

    @model_validator(mode="after")
    def _every_stage_can_be_meant(self) -> Self:
        for number in range(1, len(self.then) + 1):
            try:
                self.stage(number, unseen((64, 64)))
            except ValidationError as error:
                info = invalid_request(error).info
                told = {"field": "then", "stage": number + 1, "message": info.message, "remedy": info.remedy}
                raise PydanticCustomError("stage", "Stage {stage}: {message} {remedy}", told) from None
        return self


def _contradictions(request: GenerationRequest) -> Iterator[tuple[str, str]]:
    """Each field that cannot be meant beside the others, and what to do."""
    if request.image is None:
        for field in ("mask", "outpaint", "strength"):
            if getattr(request, field) is not None:
                yield field, "It needs an image to work from: give one, or leave this out"
    if request.strength == 0 and request.upscale is None:
        yield "strength", "At strength 0 the picture stays as it is: choose more, or an enlargement"
    if request.strength == 0 and (request.mask or request.outpaint or request.controls):
        yield "strength", "At strength 0 nothing is drawn: choose more, or leave out mask, margins and maps"
    if request.mask and request.outpaint:
        yield "outpaint", "A mask and margins at once are not possible: make one picture after the other"
    if request.mask and request.image and size_of(request.mask) != size_of(request.image):
        sizes = " and ".join("{} × {}".format(*size_of(one)) for one in (request.mask, request.image))
        yield "mask", f"Mask and image must have one size, but have {sizes} pixels: paint the mask on this image"


def parse_request(**fields: Any) -> GenerationRequest:
    """Build a request, turning pydantic's report into an `InvalidRequest` that names the first field at fault."""
    try:
        return GenerationRequest(**fields)
    except ValidationError as error:
        raise invalid_request(error) from None


def invalid_request(error: ValidationError) -> InvalidRequest:
    """The first problem of a validation report as one sentence with its field."""
    return refusal(error.errors(include_url=False)[0])


def refusal(problem: ErrorDetails) -> InvalidRequest:
    """One problem of a validation report as a sentence with its field, which is the first part of its place."""
    told = problem.get("ctx", {})
    field = str(problem["loc"][0]) if problem["loc"] else told.get("field")
    if problem["type"] == "stage":
        return InvalidRequest(f"Stage {told['stage']}: {told['message']}", told["remedy"], field="then")
    if field == "then" and len(problem["loc"]) > 2:
        return _refused_in_stage(problem)
    if problem["type"] == "seed_range":
        message = "The seed of the last picture would be too large."
        return InvalidRequest(message, f"{problem['msg']}.", field=told["field"])
    if problem["type"] == "contradiction":
        message, _, remedy = problem["msg"].partition(": ")
        return InvalidRequest(f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}.", field=told["field"])
    if problem["type"] == "no_prompt" or (field == "prompt" and problem["type"] == "missing"):
        return InvalidRequest("The prompt is empty.", "Describe the picture that you want.", field="prompt")
    if problem["type"] == "string_too_long":
        return InvalidRequest(f"{field} is longer than {told['max_length']} characters.", "Shorten it.", field=field)
    if problem["type"] == "extra_forbidden":
        return InvalidRequest(f"{field} is not a setting.", "Remove it, or check its spelling.", field=field)
    given = repr(problem["input"])
    shown = given if len(given) <= 40 else given[:37] + "…"
    return InvalidRequest(f"{field or 'The request'} cannot be {shown}.", f"{problem['msg']}.", field=field)


def _refused_in_stage(problem: ErrorDetails) -> InvalidRequest:
    _, number, *place = problem["loc"]
    info = refusal({**problem, "loc": tuple(place)}).info
    return InvalidRequest(f"Stage {int(number) + 2}: {info.message}", info.remedy, field="then")
