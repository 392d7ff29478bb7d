"""What a request brings along besides words: pictures to work from, and what happens to the result at its end; and how
a part of such a picture is pointed at.

A picture is named by its `InputId`: the SHA-256 of its raw pixels, and its size. `pipeline.pictures.store` keeps the
pixels under that name, so a request stays small, can be stored, and means the same picture for ever.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import InvalidRequest

MAX_CONTROLS = 4
MAX_MARGIN = 4096
MAX_FEATHER = 256
MAX_POINTS = 64

INPUT_ID = "[0-9a-f]{64}-[0-9]{1,5}x[0-9]{1,5}"
InputId = Annotated[str, StringConstraints(pattern=f"^{INPUT_ID}$")]
"""Such as `9f2c…-1024x768`: SHA-256 of the raw bytes (RGB, or one byte a pixel for masks), row by row, and the size."""

FileName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Task = Literal["text", "image", "inpaint", "control", "enlarge"]
"""What is drawn from: words alone, another picture, a part of one, or a map; or nothing is drawn and only enlarged."""
Fit = Literal["crop", "pad", "resize"]
"""How a picture comes to another shape: its middle is cut out, its edges are continued, or it is stretched."""
Area = Literal["whole", "masked"]
"""What is drawn again: the whole picture at the model's size, or the masked part alone at full resolution."""


USUAL_STRENGTH: dict[Task, float] = {"image": 0.6, "inpaint": 1.0}
"""How much of a picture is drawn anew when a request does not say."""


def size_of(input_id: str) -> tuple[int, int]:
    """Width and height in pixels, as the id tells them."""
    width, height = re.findall(r"\d+", input_id.rpartition("-")[2])
    return int(width), int(height)


def unseen(size: tuple[int, int]) -> str:
    """Stands for a picture of that size which is not made yet, and is no picture's id."""
    return f"{'0' * 64}-{size[0]}x{size[1]}"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Margins(_Part):
    """Pixels by which a picture is drawn further at each side."""

    left: int = Field(0, ge=0, le=MAX_MARGIN)
    top: int = Field(0, ge=0, le=MAX_MARGIN)
    right: int = Field(0, ge=0, le=MAX_MARGIN)
    bottom: int = Field(0, ge=0, le=MAX_MARGIN)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not (self.left or self.top or self.right or self.bottom):
            raise PydanticCustomError("no_margin", "Give at least one side some pixels")
        return self


class ControlUse(_Part):
    """A ControlNet that takes part, and the map that it follows."""

    net: FileName = Field(description="Name of the ControlNet, as the list of them tells it.", examples=["demo-canny"])
    image: InputId = Field(description="The map: edges, depth or pose, as that net was trained with.")
    scale: float = Field(1.0, ge=0, le=2, description="How strongly the map is followed; 1 is as trained.")
    start: float = Field(0.0, ge=0, le=1, description="Part of the steps after which it begins.")
    end: float = Field(1.0, ge=0, le=1, description="Part of the steps after which it ends.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            sentence = "A map cannot end before it begins: choose a start that is below the end"
            raise PydanticCustomError("contradiction", sentence, {"field": "controls"})
        return self


class Upscale(_Part):
    """Enlarges the finished picture, and with a `strength` has the model draw it over at the new size: hires fix."""

    factor: int = Field(2, ge=2, le=4, description="How many times as wide and as high.")
    upscaler: FileName = Field("lanczos", description="By what: `lanczos`, or a network by its name in the listing.")
    strength: float = Field(0.0, ge=0, lt=1, description="How much the model draws over afterwards; 0 is nothing.")


class Point(_Part):
    """A place in a picture that is pointed at."""

    x: float = Field(ge=0, description="Pixels from the left edge.")
    y: float = Field(ge=0, description="Pixels from the upper edge.")
    label: Literal[0, 1] = Field(1, description="1 lies in what is meant, 0 beside it.")


class Selection(_Part):
    """What is pointed at in a picture: one thing, by points, by a box around it, or by both."""

    points: tuple[Point, ...] = Field((), max_length=MAX_POINTS)
    box: tuple[float, float, float, float] | None = Field(
        None, description="Its left, upper, right and lower edge, in pixels.", examples=[[40, 30, 200, 180]]
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.box is None and not any(point.label for point in self.points):
            sentence = "Nothing is pointed at: give a point with label 1, or a box"
            raise PydanticCustomError("contradiction", sentence, {"field": "points"})
        if self.box is not None and not (0 <= self.box[0] < self.box[2] and 0 <= self.box[1] < self.box[3]):
            sentence = "The box is no box: give its left, upper, right and lower edge"
            raise PydanticCustomError("contradiction", sentence, {"field": "box"})
        return self

    def check(self, size: tuple[int, int]) -> None:
        """Raise `InvalidRequest` for what lies outside a picture of that width and height, in pixels."""
        right, lower = (self.box or (0, 0, 0, 0))[2:]
        beyond = [point for point in self.points if point.x >= size[0] or point.y >= size[1]]
        if beyond or right > size[0] or lower > size[1]:
            message = f"That lies outside the picture, which has {size[0]} × {size[1]} pixels."
            raise InvalidRequest(message, "Point at something in it.", field="points" if beyond else "box")
