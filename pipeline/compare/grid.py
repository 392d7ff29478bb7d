"""What is compared: one request, and one or two settings that go through several values.

A `Comparison` is plain data. It is kept as JSON, travels inside the contact sheet, and is all that is needed to make
the sheet again.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.compare.values import NAMES, AxisField, Value, label, read_value
from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.request import GenerationRequest, parse_request, refusal

__all__ = ["MAX_CELLS", "NAMES", "Axis", "AxisField", "Cell", "Comparison", "parse_comparison"]

MAX_CELLS = 64
"""Pictures that one comparison may have."""


class Axis(BaseModel):
    """One setting and its values, in the order in which the sheet shows them.

    Of prompt words, the first value is what prompt or negative prompt say, and the others take its place in turn; an
    empty one leaves it out. Raises `InvalidRequest` for a value that the setting cannot have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    field: AxisField
    values: tuple[Value, ...] = Field(min_length=1)

    @field_validator("values", mode="after")
    @classmethod
    def _as_the_request_reads_them(cls, values: tuple[Value, ...], info: ValidationInfo) -> tuple[Value, ...]:
        field = info.data.get("field")  # absent if it was refused itself
        return tuple(read_value(field, value) for value in values) if field else values

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.field == "prompt" and not self.values[0]:
            raise InvalidRequest(
                "The first of the prompt words is empty.", "Begin with words that the prompt says.", field="prompt"
            )
        for place, value in enumerate(self.values):
            if value in self.values[:place]:
                raise InvalidRequest(
                    f"{self.name} {self.label(place)} is there twice.", "Leave one out.", field=self.field
                )
        return self

    @property
    def name(self) -> str:
        """What people call the setting."""
        return NAMES[self.field]

    def label(self, place: int) -> str:
        """The heading of the value at that place, such as `28`, `NF4` or `EulerDiscrete`."""
        return label(self.field, self.values[place], self.values)


class Cell(BaseModel):
    """One picture of a comparison: its place on the sheet, and what makes it."""

    model_config = ConfigDict(frozen=True)

    column: int
    row: int
    request: GenerationRequest


class Comparison(BaseModel):
    """A whole sheet: `base` with `columns`, and `rows` if there are two settings.

    `base.seed` of -1 is drawn once, when the comparison starts, so that every cell shares it. Where models are
    compared, what `base` leaves open is each model's own default. Raises `InvalidRequest` for what cannot be compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    base: GenerationRequest
    columns: Axis
    rows: Axis | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base.then:
            message = "A comparison has one picture in each place, and a chain makes several."
            raise InvalidRequest(message, "Leave out `then`.", field="then")
        if self.rows is not None and self._is_twice(self.columns, self.rows):
            raise InvalidRequest(
                f"Columns and rows both go through {self.columns.name}.",
                "Choose another setting for one of them.",
                field=self.columns.field,
            )
        for axis in self.axes:
            if axis.field == "prompt" and not self._says(str(axis.values[0])):
                raise InvalidRequest(
                    f"“{axis.values[0]}” is not in the prompt.",
                    "Begin with words that are; the others take their place.",
                    field="prompt",
                )
        across, down = self.shape
        if across * down > MAX_CELLS:
            raise InvalidRequest(
                f"{across} × {down} are {across * down} pictures, and a comparison has at most {MAX_CELLS}.",
                "Leave some values out.",
            )
        return self

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The columns, and the rows if there are any."""
        return (self.columns, self.rows) if self.rows is not None else (self.columns,)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of columns and of rows."""
        return len(self.columns.values), len(self.rows.values) if self.rows else 1

    def goes_through(self, field: AxisField) -> bool:
        """Whether that setting is compared."""
        return any(axis.field == field for axis in self.axes)

    def title(self, column: int, row: int) -> str:
        """What is particular about one picture, such as `Steps 28, Guidance 4.5`."""
        places = zip(self.axes, (column, row), strict=False)
        return ", ".join(f"{axis.name} {axis.label(place)}" for axis, place in places)

    def cells(self) -> tuple[Cell, ...]:
        """Every picture, row by row. Raises `InvalidRequest`, naming the cell, for one that cannot be asked for."""
        across, down = self.shape
        return tuple(
            Cell(column=column, row=row, request=self._request(column, row))
            for row, column in product(range(down), range(across))
        )

    def named(self, error: DarkroomError, column: int, row: int) -> DarkroomError:
        """The same error, saying which picture it is about."""
        told = f"“{self.title(column, row)}”: {error.info.message}"
        return DarkroomError.from_info(error.info.model_copy(update={"message": told}))

    def _request(self, column: int, row: int) -> GenerationRequest:
        chosen = [(axis, axis.values[place]) for axis, place in zip(self.axes, (column, row), strict=False)]
        fields = self.base.model_dump() | {"num_images": 1}
        fields |= {axis.field: value for axis, value in chosen if axis.field != "prompt"}
        words = {str(axis.values[0]): str(value) for axis, value in chosen if axis.field == "prompt"}
        fields |= {name: _replace(fields[name], words) for name in ("prompt", "negative_prompt")}
        try:
            return parse_request(**fields)
        except InvalidRequest as error:
            raise self.named(error, column, row) from None

    def _says(self, words: str) -> bool:
        return words in self.base.prompt or words in self.base.negative_prompt

    def _is_twice(self, columns: Axis, rows: Axis) -> bool:
        """Whether both go through the same; two different words of the prompt are not."""
        return columns.field == rows.field and (columns.field != "prompt" or columns.values[0] == rows.values[0])


def parse_comparison(data: object) -> Comparison:
    """Read a comparison from plain data, turning pydantic's report into an `InvalidRequest`."""
    try:
        return Comparison.model_validate(data)
    except ValidationError as error:
        raise _invalid_comparison(error.errors(include_url=False)[0]) from None


def _invalid_comparison(problem: ErrorDetails) -> InvalidRequest:
    """One sentence, about the setting itself where the problem is one of `base`."""
    place = problem["loc"]
    if place[:1] == ("base",) and (len(place) > 1 or "field" in problem.get("ctx", {})):
        return refusal({**problem, "loc": place[1:]})
    name = ".".join(map(str, place)) or "comparison"
    if problem["type"] == "missing":
        return InvalidRequest(f"The comparison has no {name}.", "It needs a base and columns.", field=name)
    if problem["type"] == "too_short":
        return InvalidRequest("There is nothing to compare.", "Give at least one value.", field=name)
    return refusal({**problem, "loc": (name,)})


def _replace(text: str, words: dict[str, str]) -> str:
    """Put the values in the place of the keys, all at once, so that none finds what another has put there."""
    if not words:
        return text
    longest_first = sorted(words, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda match: words[match[0]], text)
