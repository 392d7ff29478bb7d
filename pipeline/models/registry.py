"""The registry of checkpoints: data from `registry.toml`, read into `ModelRecord`.

A record holds all that pages, API, planner and engine need to know about a checkpoint before it is loaded.
Nothing here imports torch, and nothing outside this room asks for a model by its name: what differs is a field.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from pipeline.errors import BadSettings, InvalidRequest, UnknownModel
from pipeline.models.architectures import ARCHITECTURES
from pipeline.request import GenerationRequest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, against which the demo's folder is resolved."""


DType = Literal["float32", "float16", "bfloat16"]
Task = Literal["text", "image", "inpaint", "control"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRange(_Data):
    """Denoising steps: the interface's range (the API takes any sane number), and the pipeline argument that it is
    passed as. Where two stages denoise it is the stage that decides what the picture shows."""

    default: PositiveInt
    min: PositiveInt
    max: PositiveInt
    argument: str = "num_inference_steps"


class GuidanceRange(_Data):
    """Guidance: the interface's range, and the pipeline argument that it is passed as."""

    default: NonNegativeFloat
    min: NonNegativeFloat
    max: NonNegativeFloat
    argument: str = "guidance_scale"


class SizeRule(_Data):
    """Sizes in pixels: what the model was trained at, and what it can take."""

    native: tuple[PositiveInt, PositiveInt]
    multiple: PositiveInt
    min: PositiveInt
    max: PositiveInt
    shapes: tuple[tuple[PositiveInt, PositiveInt], ...] = ()
    """The only sizes (width, height) that the model makes; empty when any within the limits will do."""

    def fits(self, side: int) -> bool:
        """Whether a side of that many pixels is possible."""
        return self.min <= side <= self.max and side % self.multiple == 0


class Licence(_Data):
    """The terms of the weights; `gated` ones need an account that accepted them."""

    name: str
    url: str
    gated: bool = False
    commercial: str = "yes"


class ModelRecord(_Data):
    """One checkpoint."""

    id: str
    name: str
    family: str
    source: str
    """A hub repository (`owner/name`), or a folder: absolute, or relative to the checkout."""
    summary: str
    parts: dict[str, str] = {}
    """Components that come from other repositories or folders: the beginning of their names → the source, such as
    `{prior_ = "kandinsky-community/kandinsky-2-2-prior"}`; there they are called by the rest of their names."""
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
    """What `auto` means on a GPU."""
    offload: Literal["none", "model", "group", "sequential"]
    """What `auto` means on a GPU."""
    licence: Licence
    components: dict[str, str] = {}
    """Component → its entry in `architectures.toml`, which knows its size before anything is downloaded."""
    download_bytes: NonNegativeInt = 0
    evidence: str = ""
    """Where the figures of this record come from."""
    notes: tuple[str, ...] = ()
    """Pitfalls, shown to the user."""
    examples: tuple[str, ...] = ()
    """Prompts to begin with, that this model draws well."""

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of each component whose architecture is known."""
        return {name: ARCHITECTURES[key].parameters for name, key in self.components.items()}

    @property
    def local(self) -> Path | None:
        """The folder of a checkpoint that is on this disk already; None for one from the hub."""
        folder = ROOT / self.source
        return folder if folder.is_dir() else None

    def check(self, request: GenerationRequest) -> None:
        """Raise `InvalidRequest` for what this model cannot take."""
        for field in ("width", "height"):
            side = getattr(request, field)
            if side is not None and not self.size.fits(side):
                raise InvalidRequest(
                    f"{self.name} cannot make a picture with {field} {side}.", self._size_hint(), field=field
                )

    def ignored(self, request: GenerationRequest) -> list[str]:
        """A sentence for each setting of `request` that this model does not use."""
        if request.negative_prompt and not self.negative_prompt:
            return [f"{self.name} does not use a negative prompt; it is ignored."]
        return []

    def _size_hint(self) -> str:
        if self.size.min == self.size.max:
            return f"It makes {self.size.min} × {self.size.max} pixels only."
        return f"Choose {self.size.min} to {self.size.max} pixels in steps of {self.size.multiple}."


class Registry:
    """The known checkpoints, found by id or by any unique short form of it."""

    def __init__(self, records: tuple[ModelRecord, ...]) -> None:
        self.records = records

    @classmethod
    def read(cls, own: Path | None = None) -> Registry:
        """The records that ship with Darkroom, then those of the file `own` if it exists; an own record replaces a
        shipped one with the same id. Raises `BadSettings` for a file that cannot be read."""
        records = {record.id: record for record in _records(Path(__file__).with_name("registry.toml"))}
        if own is not None and own.exists():
            records |= {record.id: record for record in _records(own)}
        return cls(tuple(records.values()))

    def find(self, name: str) -> ModelRecord:
        """The record that `name` means: an id, or the only one whose id contains it. Raises `UnknownModel`."""
        wanted = name.strip().lower()
        exact = [r for r in self.records if r.id.lower() == wanted or r.id.lower().split("/")[-1] == wanted]
        if len(exact) == 1:
            return exact[0]
        partial = [record for record in self.records if wanted and wanted in record.id.lower()]
        if len(partial) == 1:
            return partial[0]
        if partial:
            names = ", ".join(record.id for record in partial)
            raise UnknownModel(f"“{name}” can mean several models.", f"Choose one of {names}.", field="model")
        names = ", ".join(record.id for record in self.records)
        raise UnknownModel(f"There is no model named “{name}”.", f"Known models: {names}.", field="model")


def _records(path: Path) -> list[ModelRecord]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return [ModelRecord.model_validate(record) for record in data.get("model", [])]
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise BadSettings(f"A record in {path} is wrong: {where}: {problem['msg']}.", "Correct the file.") from None
    except (ValueError, OSError) as error:
        raise BadSettings(f"The model records in {path} cannot be read: {error}.", "Correct the file.") from None
