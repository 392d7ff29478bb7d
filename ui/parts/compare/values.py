"""Values as people type them, in the way that they know from other studios. Knows no Streamlit.

    4, 8, 16          these
    4-10              every whole number from 4 to 10
    4-40 (+8)         from 4 in steps of 8, as far as 40
    4-40 [5]          five values from 4 to 40, evenly apart
    4..40/5 steps     the same

Of prompt words each stands between commas; one with a comma inside, and an empty one, in quotation marks:
    red, "dark, blue", ""
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.compare.grid import MAX_CELLS, NAMES, AxisField
from pipeline.errors import InvalidRequest

Value = str | int | float

WHOLE: frozenset[AxisField] = frozenset({"num_inference_steps", "seed"})
"""Settings whose values are whole numbers."""
NUMBERS: frozenset[AxisField] = WHOLE | {"guidance_scale", "variation_strength"}
TYPED: frozenset[AxisField] = NUMBERS | {"prompt"}
"""Settings whose values are typed; those of the others are ticked."""

_NUMBER = r"\d+(?:\.\d+)?"
_RANGE = re.compile(
    rf"(?P<first>{_NUMBER})\s*(?:-|–|\.\.)\s*(?P<last>{_NUMBER})\s*"
    rf"(?:\(\s*[+-]?(?P<step>{_NUMBER})\s*\)|\[\s*(?P<count>\d+)\s*\]|/\s*(?P<parts>\d+)(?:\s*steps?)?)?"
)
_WORD = re.compile(r'\s*(?:("(?:[^"]|"")*")|([^,]*))\s*(?:,|$)')
_DIGITS = 4
"""Decimal places that are kept of a value in a range."""
_HINT = "Write a list such as 4, 8, 16, or a range such as 4-40 (+8)."


def parse(field: AxisField, typed: str) -> tuple[Value, ...]:
    """The values that `typed` stands for; raises `InvalidRequest` with that field for what cannot be read."""
    if field not in NUMBERS:
        values: list[Value] = [*_words(typed)]
    else:
        values = [value for part in typed.split(",") if part.strip() for value in _numbers(field, part.strip())]
    if not values:
        raise InvalidRequest(f"{NAMES[field]} has no values yet.", "Write at least one.", field=field)
    if len(values) > MAX_CELLS:
        raise InvalidRequest(f"{len(values)} values are too many.", f"Write at most {MAX_CELLS}.", field=field)
    return tuple(values)


def written(field: AxisField, values: Iterable[Value]) -> str:
    """The values as one would type them."""
    if field in NUMBERS:
        return ", ".join(f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".") for value in map(float, values))
    return ", ".join(map(_quoted, map(str, values)))


def _quoted(word: str) -> str:
    if word and not set(word) & set(',"'):
        return word
    doubled = word.replace('"', '""')
    return f'"{doubled}"'


def _words(typed: str) -> list[str]:
    """Words between commas; empty ones count in quotation marks only."""
    found = [(quoted, plain.strip()) for quoted, plain in _WORD.findall(typed)]
    return [quoted[1:-1].replace('""', '"').strip() if quoted else plain for quoted, plain in found if quoted or plain]


def _numbers(field: AxisField, part: str) -> list[int] | list[float]:
    """The values of one entry between commas: a number, or a range."""
    if found := _RANGE.fullmatch(part):
        values = _range(field, **found.groupdict())
    elif re.fullmatch(_NUMBER, part):
        values = [float(part)]
    else:
        raise InvalidRequest(f"“{part}” is neither a number nor a range.", _HINT, field=field)
    if field not in WHOLE:
        return values
    if any(value != int(value) for value in values):
        raise InvalidRequest(f"{NAMES[field]} must be a whole number, and “{part}” is not.", _HINT, field=field)
    return [int(value) for value in values]


def _range(
    field: AxisField, first: str, last: str, step: str | None, count: str | None, parts: str | None
) -> list[float]:
    start, end = float(first), float(last)
    if number := count or parts:
        return _even(field, start, end, _bounded(field, int(number)))
    stride = float(step) if step else 1.0
    if stride == 0:
        raise InvalidRequest("A range in steps of 0 has no end.", _HINT, field=field)
    reached = _bounded(field, int(abs(end - start) / stride + 1e-9) + 1)
    way = stride if end >= start else -stride
    return [round(start + way * place, _DIGITS) for place in range(reached)]


def _even(field: AxisField, start: float, end: float, number: int) -> list[float]:
    apart = (end - start) / max(1, number - 1)
    values = [start + apart * place for place in range(number)]
    digits = 0 if field in WHOLE else _DIGITS
    return list(dict.fromkeys(round(value, digits) for value in values))


def _bounded(field: AxisField, number: int) -> int:
    if number > MAX_CELLS:
        raise InvalidRequest(f"This range has {number} values.", f"Take at most {MAX_CELLS}.", field=field)
    return number
