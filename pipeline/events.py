"""What happens to a job, in the order in which it happens.

The same objects cross the worker's pipe, feed the page's progress bar, the server-sent events and the shell.
Each has a `type` under which JSON names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pipeline.errors import ErrorInfo
from pipeline.recipe import Recipe
from pipeline.request import Precision

if TYPE_CHECKING:
    from PIL import Image


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    @cached_property
    def as_json(self) -> str:
        """The event as JSON, written once however many watch."""
        return self.model_dump_json()


class Queued(_Event):
    """The job waits; `position` 1 is next."""

    type: Literal["queued"] = "queued"
    position: int


class Loading(_Event):
    """The model is being made ready: `done` of `total` components are, and `component` is under way."""

    type: Literal["loading"] = "loading"
    component: str
    done: int
    total: int


class Fetching(_Event):
    """A file of the model comes from the hub: `done` of `total` bytes of all its files are here."""

    type: Literal["fetching"] = "fetching"
    file: str
    done: int
    total: int
    bytes_per_second: float
    seconds_left: float | None
    """None until the speed is known."""


class Asked(_Event):
    """A provider was asked for pictures `image_index` to `image_index + count - 1`, and nothing is heard of it before
    they come. `attempt` above 1 says that it asked to be asked again; `crowded`, that nothing is ordered yet: other
    tasks of the account there must end first."""

    type: Literal["asked"] = "asked"
    provider: str
    image_index: int
    count: int
    attempt: int = 1
    crowded: bool = False


class Unquantized(BaseModel):
    """Layers of one kind that keep their full width, although their component is quantised."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Where they are in the component, with `*` for the numbers of blocks."""
    layers: int
    parameters: int
    """Numbers in all of them."""
    reason: str


class Quantized(_Event):
    """A component is loaded in four or eight bits, and this is what that did."""

    type: Literal["quantized"] = "quantized"
    component: str
    precision: Precision
    parameters: int
    bytes_before: int
    """Size of the weights in their dtype, without quantisation."""
    bytes_after: int
    """Size of the weights as held in memory."""
    seconds: float
    """How long reading and quantising took."""
    cached: bool
    """Whether the weights were read from the cache, quantised already."""
    largest_left: tuple[Unquantized, ...]
    """The largest layers left unquantised, largest first."""


class Step(_Event):
    """Step `step` of `total` of picture `image_index` is done: one of denoising, or a tile that a network enlarged.
    `seconds_left` counts the whole job; None in a chain before its last picture, since the models to come may take any
    time."""

    type: Literal["step"] = "step"
    image_index: int
    step: int
    total: int
    seconds_left: float | None


class Preview(_Event):
    """A small JPEG of what the latents of picture `image_index` hold so far."""

    type: Literal["preview"] = "preview"
    image_index: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture fresh from the engine, before anything is written: it crosses the pipe as it is."""

    index: int
    rgb: bytes
    """Rows from the top, three bytes a pixel: `width * height * 3` in all."""
    recipe: Recipe
    alpha: bytes = b""
    """Opacity, one byte a pixel, 255 is opaque; empty for a picture that is opaque all over."""


class SavedImage(BaseModel):
    """One finished picture: where it is, and how it was made."""

    model_config = ConfigDict(frozen=True)

    id: str
    job_id: str
    index: int
    """Which picture of its job, from 0."""
    path: Path | None
    """The PNG, or None while it could only be kept in memory (`unsaved` says why)."""
    unsaved: str = ""
    recipe: Recipe
    created_at: datetime
    favourite: bool = False
    rating: int = Field(0, ge=0, le=5)
    """Stars that somebody gave it; 0 is none."""
    deleted: bool = False
    """Whether it is among the deleted pictures, from which it can be brought back."""

    @property
    def seed(self) -> int:
        """What made this very picture, and makes it again."""
        return self.recipe.seed

    def open(self) -> Image.Image:
        """The picture as a Pillow image: RGB, or RGBA where parts of it are transparent. Raises `FileNotFoundError` if
        it was moved or never saved."""
        from PIL import Image

        if self.path is None:
            raise FileNotFoundError(f"Image {self.id} was not saved: {self.unsaved}")
        with Image.open(self.path) as image:
            image.load()
            return image

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """Its main points: a recipe has a screen full of others."""
        yield "seed", self.seed
        yield "size", f"{self.recipe.width} × {self.recipe.height}"
        yield "path", str(self.path) if self.path else None

    def _repr_png_(self) -> bytes | None:
        """The file, with which a notebook shows the picture; None when it is not there (any more)."""
        with suppress(OSError):
            return self.path.read_bytes() if self.path else None
        return None


class Saved(_Event):
    """A picture is finished and safe on disk (or kept in memory, when the disk refuses it)."""

    type: Literal["saved"] = "saved"
    image: SavedImage


class Warned(_Event):
    """Something that the person should know, although the job goes on."""

    type: Literal["warned"] = "warned"
    message: str


class Failed(_Event):
    """The job ended with an error. Pictures saved before stay."""

    type: Literal["failed"] = "failed"
    error: ErrorInfo


class Cancelled(_Event):
    """The job was cancelled. Pictures saved before stay."""

    type: Literal["cancelled"] = "cancelled"


class Finished(_Event):
    """Every picture of the job is made."""

    type: Literal["finished"] = "finished"


Event = Annotated[
    Queued | Fetching | Loading | Asked | Quantized | Step | Preview | Saved | Warned | Failed | Cancelled | Finished,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event as JSON."""

Last = Failed | Cancelled | Finished
LAST = (Failed, Cancelled, Finished)
"""The kinds of event after which a job has no more. Their types are the names of the states in which it ends."""
