"""What can be made elsewhere: the records of hosted models and of who offers them, from `hosted.toml`.

They stand in the registry beside the checkpoints, but nothing of them is on this machine: a record says what a
provider takes and makes, what that costs about, and until when. `pipeline.hosted` has the calls themselves.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Self

from pydantic import PositiveInt, StringConstraints, model_validator

from pipeline.errors import InvalidRequest, ModelRetired
from pipeline.inputs import Task, size_of
from pipeline.models.facts import Facts
from pipeline.models.hosted_size import HostedSize
from pipeline.models.sampling import GuidanceRange, StepRange, check_scheduler
from pipeline.request import GenerationRequest

SOON = 60
"""Days before its retirement from which a model is said to be retired soon."""


ProviderId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Provider(Facts):
    """Who makes pictures elsewhere, and what it takes to ask them."""

    id: ProviderId
    name: str
    adapter: str
    """Module of `pipeline.hosted.providers` that speaks with it."""
    base_url: str
    base_url_variable: str = ""
    """Environment variable with which its address is set otherwise."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Environment variables with the keys that it asks for, each with its other names after it."""
    packages: dict[str, str] = {}
    """What `requirements-hosted.txt` installs for it: package → the module that is imported."""
    key_url: str = ""
    """Page on which a key is made."""
    terms_url: str = ""
    """Page that says what becomes of prompts and pictures."""


class Option(Facts):
    """A setting of a hosted model that no other one has."""

    choices: tuple[str, ...]
    default: str
    summary: str

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        if self.default not in self.choices:
            raise ValueError(f"default {self.default} is not among the choices")
        return self


class HostedModel(Facts):
    """One model that a provider offers."""

    id: str
    """The provider's id, a slash and a name."""
    name: str
    provider: str
    source: str
    """The provider's own name of it."""
    endpoint: str = ""
    """The path at which it is asked, where the provider has several."""
    summary: str
    tasks: tuple[Task, ...] = ("text",)
    size: HostedSize
    prompt_characters: PositiveInt
    negative_prompt: bool = False
    negative_prompt_with_image: bool = True
    """Whether it takes one together with a picture to work from, if it takes one at all."""
    seed: bool = False
    """Whether the provider takes a seed; whether the same one makes the same picture is the provider's to say."""
    darkroom: bool = False
    """Whether another Darkroom makes it: then it takes steps, guidance, a scheduler, strength and feather, as models do
    that run here, and what it does not take is refused instead of ignored."""
    steps: StepRange | None = None
    """As that Darkroom tells it; None where nothing is known, or the provider chooses them."""
    guidance: GuidanceRange | None = None
    schedulers: tuple[str, ...] = ()
    """The scheduler classes that it can use there, its own first; none where nothing is known."""
    options: dict[str, Option] = {}
    images_per_call: PositiveInt = 1
    price: str = ""
    """What a picture costs about, and where that stands."""
    retires: date | None = None
    """The day from which the provider offers it no longer."""
    replacement: str = ""
    """Id of the model that the provider names instead."""
    evidence: str = ""
    """Where the figures of this record come from."""
    notes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_named_after_its_provider(self) -> Self:
        """So that no hosted model has the id of a checkpoint, and prompts leave this machine unnoticed."""
        if not self.id.removeprefix(f"{self.provider}/") or not self.id.startswith(f"{self.provider}/"):
            raise ValueError(f"the id {self.id} does not begin with the provider's, {self.provider}/")
        return self

    def check(self, request: GenerationRequest) -> None:
        """Raise `InvalidRequest` for what this model cannot take, and `ModelRetired`."""
        self.check_offered()
        for field, sentence in self._impossible(request):
            raise InvalidRequest(f"{self.name} {sentence}", "Leave it out, or choose another model.", field=field)
        if len(request.prompt) > self.prompt_characters:
            message = f"{self.name} reads {self.prompt_characters:,} characters of prompt; this one has more."
            raise InvalidRequest(message, "Shorten it.", field="prompt")
        self._check_options(request)
        self._check_size(request)
        if self.steps is not None:
            self.steps.check(request.num_inference_steps, self.name)
        check_scheduler(request.scheduler, self.schedulers, self.name)

    def check_offered(self, today: date | None = None) -> None:
        """Raise `ModelRetired` when the provider has ended it."""
        if self.retires is not None and self.is_retired(today):
            remedy = f"Choose {self.replacement} instead." if self.replacement else "Choose another model."
            raise ModelRetired(f"{self.name} was retired on {_written(self.retires)}.", remedy, field="model")

    def is_retired(self, today: date | None = None) -> bool:
        """Whether the provider has ended it."""
        return self.retires is not None and (today or datetime.now(UTC).date()) >= self.retires

    def retires_soon(self, today: date | None = None) -> str:
        """A sentence about its retirement when that is near or past; empty otherwise."""
        today = today or datetime.now(UTC).date()
        if self.retires is None or (self.retires - today).days > SOON:
            return ""
        verb = "was" if self.is_retired(today) else "is"
        instead = f" Use {self.replacement} instead." if self.replacement else ""
        return f"{self.name} {verb} retired on {_written(self.retires)}.{instead}"

    def ignored(self, request: GenerationRequest) -> list[str]:
        """A sentence for each setting of `request` that this model does not use."""
        given = {
            "steps": request.num_inference_steps is not None,
            "guidance": request.guidance_scale is not None,
            "a scheduler": request.scheduler is not None,
            "a precision": request.quantization != "auto" or bool(request.component_quantization),
            "an offload": request.offload != "auto",
            "a strength": request.strength is not None,
            "a fit": request.fit != "crop",
            "a feather": request.mask_feather > 0,
        }
        left = [setting for setting, there in given.items() if there and not self.darkroom]
        if request.negative_prompt and not self.negative(request):
            left.append("a negative prompt")
        if request.seed >= 0 and not self.seed:
            left.append("a seed")
        told = [f"{self.name} does not take {setting}; it is ignored." for setting in left]
        return [*told, *self._other_size(request), *filter(None, [self.retires_soon()])]

    def chosen(self, request: GenerationRequest) -> dict[str, str]:
        """Its options with the values that `request` gives them, or their own."""
        return {name: request.options.get(name, option.default) for name, option in self.options.items()}

    def negative(self, request: GenerationRequest) -> str:
        """The negative prompt of `request`, as far as this model takes it."""
        taken = self.negative_prompt and (request.image is None or self.negative_prompt_with_image)
        return request.negative_prompt if taken else ""

    def asked_size(self, request: GenerationRequest) -> tuple[int, int]:
        """Width and height in pixels that `request` names, or the model's own, in the shape of the picture to work
        from."""
        if request.image and request.width is None and request.height is None:
            return self.size.like(*size_of(request.image))
        return request.width or self.size.native[0], request.height or self.size.native[1]

    def _impossible(self, request: GenerationRequest) -> list[tuple[str, str]]:
        """Each field that asks for what only a model on this machine can do."""
        lacking = {"image": "cannot work from a picture.", "inpaint": "cannot repaint a part of a picture."}
        given = {
            "loras": (bool(request.loras), "takes no LoRAs."),
            "vae": (request.vae is not None, "takes no VAE."),
            "controls": (bool(request.controls), "takes no ControlNets."),
            "variation_strength": (request.variation_strength > 0, "makes no variations of a seed."),
            "outpaint": (request.outpaint is not None, "does not extend pictures."),
            "mask_area": (request.mask_area != "whole", "draws whole pictures only."),
            "upscale": (request.upscale is not None, "does not enlarge; enlarge the finished picture here."),
            "then": (bool(request.then), "cannot be part of a chain."),
            "mask" if request.mask else "image": (
                request.task not in self.tasks,
                lacking.get(request.task, "cannot do that."),
            ),
        }
        if self.darkroom:
            held = "is held as the studio chooses that has it."
            given |= {
                "quantization": (request.quantization != "auto", held),
                "component_quantization": (bool(request.component_quantization), held),
                "offload": (request.offload != "auto", held),
            }
        return [(field, sentence) for field, (there, sentence) in given.items() if there]

    def _check_options(self, request: GenerationRequest) -> None:
        for name, value in request.options.items():
            option = self.options.get(name)
            if option is None:
                known = f"It has {', '.join(self.options)}." if self.options else "It has none."
                raise InvalidRequest(f"{self.name} has no option {name}.", known, field="options")
            if value not in option.choices:
                message = f"{name} of {self.name} cannot be {value}."
                raise InvalidRequest(message, f"Choose one of {', '.join(option.choices)}.", field="options")

    def _check_size(self, request: GenerationRequest) -> None:
        width, height = self.asked_size(request)
        size, field = self.size, "width" if request.width else "height"
        if size.shapes and (width, height) not in size.shapes:
            known = ", ".join(f"{one} × {other}" for one, other in size.shapes)
            message = f"{self.name} cannot make a picture of {width} × {height}."
            raise InvalidRequest(message, f"It makes {known} pixels only.", field=field)
        for side in (width, height):
            if not size.fits(side):
                remedy = f"Choose {size.min} to {size.max} pixels in steps of {size.multiple}."
                raise InvalidRequest(f"{self.name} cannot make a side of {side} pixels.", remedy, field=field)
        if not size.min_pixels <= width * height <= size.max_pixels:
            message = f"{self.name} cannot make a picture of {width} × {height}."
            remedy = f"Choose {size.min_pixels:,} to {size.max_pixels:,} pixels in all."
            raise InvalidRequest(message, remedy, field=field)
        if size.max_aspect is not None and max(width, height) > size.max_aspect * min(width, height):
            message = f"{width} × {height} is too long a shape for {self.name}."
            raise InvalidRequest(message, f"One side may be {size.max_aspect:g} times the other.", field=field)

    def _other_size(self, request: GenerationRequest) -> list[str]:
        """What is made instead of a size that the provider has no name for."""
        if request.width is None and request.height is None:
            return []
        width, height = self.asked_size(request)
        ratio, resolution = self.size.nearest(width, height)
        if not ratio or self.size.made(width, height) == (width, height):
            return []
        named = f"{ratio} at {resolution}" if resolution else ratio
        return [f"{self.name} makes shapes, not pixels: {width} × {height} is asked for as {named}."]


def _written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
