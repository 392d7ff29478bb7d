"""The registry of checkpoints: data from `registry.toml`, read into `ModelRecord`.

A record holds all that pages, API, planner and engine need to know about a checkpoint before it is loaded.
Nothing here imports torch, and nothing outside this room asks for a model by its name: what differs is a field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import NonNegativeInt, PositiveInt, ValidationError, field_validator

from pipeline.errors import BadSettings, InvalidRequest, UnknownModel
from pipeline.inputs import Task
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.facts import Facts
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.sampling import GuidanceRange, StepRange
from pipeline.models.size import SizeRule
from pipeline.request import GenerationRequest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, against which the demo's folder is resolved."""


R = TypeVar("R", "ModelRecord", HostedModel, Provider)
M = TypeVar("M", "ModelRecord", HostedModel)
DType = Literal["float32", "float16", "bfloat16"]


class Licence(Facts):
    """The terms of the weights; `gated` ones need an account that accepted them."""

    name: str
    url: str
    gated: bool = False
    commercial: str = "yes"


class ModelRecord(Facts):
    """One checkpoint."""

    id: str
    name: str
    family: str
    source: str
    """A hub repository (`owner/name`), or a folder: absolute, or relative to the checkout."""
    summary: str
    parts: dict[str, str] = {}
    """Components that come from other repositories or folders: the beginning of their names → the source, such as
    `{prior_ = "kandinsky-community/kandinsky-2-2-prior"}`; there they are called by the rest of their names. A whole
    name, such as `transformer`, means just that component."""
    variant: str = ""
    """Variant of the weight files that is fetched, such as `fp16`."""
    config: str = ""
    """For a single `.safetensors` file: the repository or folder with its configuration and tokenizers."""
    pipelines: dict[Task, str]
    """Diffusers pipeline class for each task."""
    dtype: DType
    dtypes: dict[str, DType] = {}
    """Components that need another dtype."""
    steps: StepRange
    guidance: GuidanceRange
    size: SizeRule
    negative_prompt: bool
    prompt_tokens: PositiveInt
    """Tokens of prompt that the longest text encoder reads; what follows is cut."""
    arguments: dict[str, Any] = {}
    """Further arguments for every call of the pipeline; what a request says wins over them."""
    load_arguments: dict[str, Any] = {}
    """Further arguments for the pipeline's construction."""
    nf4: tuple[str, ...]
    """Components worth four bits."""
    quantization: Literal["none", "nf4", "int8"]
    """What `auto` means on a GPU without ample room; where weights rest is the planner's to say."""
    licence: Licence
    components: dict[str, str] = {}
    """Component → its entry in `architectures.toml`, which knows its size before anything is downloaded."""
    download_bytes: NonNegativeInt = 0
    evidence: str = ""
    """Where the figures of this record come from."""
    notes: tuple[str, ...] = ()
    """Pitfalls, shown to the user."""
    upscaler: str = "lanczos"
    """What makes its pictures larger best; pages offer that first."""
    detail: str = ""
    """A LoRA, relative to the checkout, that takes part where the model draws over an enlarged picture."""
    examples: tuple[str, ...] = ()
    """Prompts to begin with, that this model draws well."""

    @field_validator("components")
    @classmethod
    def _known_architectures(cls, components: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(components.values()) - set(ARCHITECTURES))
        if unknown:
            raise ValueError(f"architectures.toml has no {', '.join(unknown)}")
        return components

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of each component whose architecture is known."""
        return {name: ARCHITECTURES[key].parameters for name, key in self.components.items()}

    @property
    def has_one_size(self) -> bool:
        """Whether the model makes only its native size."""
        return self.size.min == self.size.max or len(self.size.shapes) == 1

    @property
    def draws_over(self) -> bool:
        """Whether the model can draw over a picture that was enlarged, whose windows each show a part of a scene: that
        is more than one of a single size was trained for."""
        return "image" in self.pipelines and (not self.has_one_size or bool(self.detail))

    @property
    def local(self) -> Path | None:
        """The folder of a checkpoint that is on this disk already; None for one from the hub."""
        folder = ROOT / self.source
        return folder if folder.is_dir() else None

    def check(self, request: GenerationRequest) -> None:
        """Raise `InvalidRequest` for what this model cannot take."""
        from pipeline.models import schedulers, tasks  # which import this module

        if request.options:
            name = next(iter(request.options))
            message = f"{self.name} has no option {name}: only hosted models have some."
            raise InvalidRequest(message, "Leave it out.", field="options")
        schedulers.check(self, request.scheduler)
        tasks.check(self, request)
        for field in ("width", "height"):
            side = getattr(request, field)
            if side is not None and not self.size.fits(side):
                raise self._no_such_size(f"with {field} {side}", field)
        width, height = request.width or self.size.native[0], request.height or self.size.native[1]
        if self.size.shapes and (width, height) not in self.size.shapes:
            raise self._no_such_size(f"of {width} × {height}", "width" if request.width else "height")
        self.steps.check(request.num_inference_steps, self.name)

    def ignored(self, request: GenerationRequest) -> list[str]:
        """A sentence for each setting of `request` that this model does not use."""
        if not request.negative_prompt:
            return []
        if not self.negative_prompt:
            return [f"{self.name} does not use a negative prompt; it is ignored."]
        guidance = self.guidance.default if request.guidance_scale is None else request.guidance_scale
        if guidance <= 1 and not self._is_guided_elsewhere():
            return [f"A negative prompt needs guidance above 1; at {guidance:g} it is ignored."]
        return []

    def _is_guided_elsewhere(self) -> bool:
        """Whether another stage has a guidance of its own, which the request does not change: Kandinsky's prior."""
        return any(name.endswith("guidance_scale") and value > 1 for name, value in self.arguments.items())

    def _no_such_size(self, size: str, field: str) -> InvalidRequest:
        return InvalidRequest(f"{self.name} cannot make a picture {size}.", self._size_hint(), field=field)

    def _size_hint(self) -> str:
        size = self.size
        if size.shapes:
            return f"It makes {', '.join(f'{width} × {height}' for width, height in size.shapes)} pixels only."
        if size.min == size.max:
            return f"It makes {size.min} × {size.max} pixels only."
        return f"Choose {size.min} to {size.max} pixels in steps of {size.multiple}."


Model = ModelRecord | HostedModel
"""Whatever a request can name: a checkpoint, or what a provider offers."""


class Registry:
    """The known checkpoints and hosted models, found by id or by any unique short form of it."""

    def __init__(
        self,
        records: tuple[ModelRecord, ...],
        hosted: tuple[HostedModel, ...] = (),
        providers: tuple[Provider, ...] = (),
    ) -> None:
        """`records` are the checkpoints."""
        self.records, self.hosted, self.providers = records, hosted, providers

    @classmethod
    def read(cls, own: Path | None = None, weights: Path | None = None, own_hosted: Path | None = None) -> Registry:
        """The records that ship with Darkroom, then those of the files `own` and `own_hosted` if they exist (an own
        record replaces a shipped one with the same id), then those of the checkpoints that lie in the folder `weights`.

        Raises `BadSettings` for a file of records that cannot be read.
        """
        here = Path(__file__).parent
        records = _read(here / "registry.toml", own, "model", ModelRecord)
        if weights is not None:
            from pipeline.models.own import shelf  # which imports this module

            records |= {record.id: record for record in shelf.records(weights, list(records.values()))}
        hosted = _read(here / "hosted.toml", own_hosted, "model", HostedModel)
        providers = _read(here / "hosted.toml", own_hosted, "provider", Provider)
        for model in hosted.values():
            if model.provider not in providers:
                message = f"{own_hosted} has a model {model.id}, but no provider {model.provider}."
                raise BadSettings(message, "Add the record of the provider, or correct that of the model.")
        return cls(tuple(records.values()), tuple(hosted.values()), tuple(providers.values()))

    def find(self, name: str) -> ModelRecord:
        """The checkpoint that `name` means, as `find_any`. Raises `UnknownModel`, and `InvalidRequest` for a hosted
        model, of which nothing is here."""
        found = self.find_any(name)
        if isinstance(found, HostedModel):
            raise no_checkpoint(found.name)
        return found

    def find_any(self, name: str) -> Model:
        """The record that `name` means: an id, or the only one that it is a short form of; of several, the one that
        runs here. Raises `UnknownModel`.

        A short form is a part of an id or name, without regard to case, spaces and punctuation, and with “sd” for
        “stable diffusion”: `sd3.5`, `flux`, `PixArt Sigma`. Of a hosted model it has to be the whole id or name, the
        provider's apart: a slip must not send a prompt away, and cost something.
        """
        exact = [model for model in self.hosted if model.id.lower() == name.strip().lower()]
        for found in (exact, _meant(name, self.records), _named(name, self.hosted)):
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(model.id for model in found)
                raise UnknownModel(f"“{name}” can mean several models.", f"Choose one of {names}.", field="model")
        nearly = ", ".join(model.id for model in _meant(name, self.hosted))
        known = ", ".join(record.id for record in self.records)
        remedy = f"Hosted models are asked for by their whole names: {nearly}." if nearly else f"Known models: {known}."
        raise UnknownModel(f"There is no model named “{name}”.", remedy, field="model")

    def provider(self, model: HostedModel) -> Provider:
        """Who offers a hosted model."""
        return next(one for one in self.providers if one.id == model.provider)


def no_checkpoint(name: str) -> InvalidRequest:
    """What a hosted model of that name is refused with, where only a checkpoint will do."""
    message = f"{name} is hosted: there is no checkpoint of it."
    return InvalidRequest(message, "Choose a model that runs here.", field="model")


def _meant(name: str, models: Sequence[M]) -> list[M]:
    """Those of `models` that a name can mean, as far as it tells them apart."""
    short, named = _shortened(name), _named(name, models)
    partial = [one for one in models if short and any(short in _shortened(form) for form in (one.id, one.name))]
    return named if len(named) == 1 else partial


def _named(name: str, models: Sequence[M]) -> list[M]:
    """Those of `models` of which it is the whole id or name, to the letter if that tells them apart."""
    wanted, short = name.strip().lower(), _shortened(name)
    exact = [one for one in models if wanted in (one.id.lower(), _last(one.id).lower())]
    whole = [one for one in models if short in map(_shortened, (one.id, _last(one.id), one.name))]
    return exact if len(exact) == 1 else whole


def _last(model_id: str) -> str:
    """An id without its owner."""
    return model_id.rsplit("/", 1)[-1]


def _shortened(name: str) -> str:
    """A name as it is compared: `stabilityai/stable-diffusion-v1-5` → `stabilityai/sd15`."""
    plain = re.sub(r"[-_.\s]+", "", name.lower())
    return re.sub(r"v(?=\d)", "", plain.replace("stablediffusion", "sd"))


def _read(shipped: Path, own: Path | None, table: str, kind: type[R]) -> dict[str, R]:
    """The records of one kind by their ids: the shipped ones, and over them one's own."""
    records = {record.id: record for record in _records(shipped, table, kind)}
    if own is not None and own.exists():
        records |= {record.id: record for record in _records(own, table, kind)}
    return records


def _records(path: Path, table: str, kind: type[R]) -> list[R]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return [kind.model_validate(record) for record in data.get(table, [])]
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise BadSettings(f"A record in {path} is wrong: {where}: {problem['msg']}.", "Correct the file.") from None
    except (ValueError, OSError) as error:
        raise BadSettings(f"The model records in {path} cannot be read: {error}.", "Correct the file.") from None
