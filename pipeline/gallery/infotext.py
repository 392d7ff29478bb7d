"""A1111's text format, taken apart: what AUTOMATIC1111 and its many relatives write into their pictures.

    prompt, over any number of lines
    Negative prompt: the same
    Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 1, Lora hashes: "one: 1a2b, two: 3c4d", …

There is no standard. Values with commas are in double quotes, except where an extension forgot; some are JSON; some
programs add lines below the settings. So the reading is forgiving, and what a key means is left to the caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

_NEGATIVE = "Negative prompt:"
_KEY = re.compile(r"\s*([^\W_][\w \-/.()+]{0,60}?):\s*")
_END = re.compile(r"\s*(?:,|$)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_USUAL = {"steps", "sampler", "cfg scale", "seed", "size", "model", "model hash", "guidance scale", "version"}
_FEWEST = 3
"""Settings that make a line one of settings when it does not begin with the steps: a prompt may have a colon too."""
_MOST = 500
"""Settings that are read; real texts have a tenth of it."""


@dataclass(frozen=True, slots=True)
class Infotext:
    """The three parts of the text, as they stand there."""

    prompt: str
    negative_prompt: str
    settings: dict[str, str] = field(default_factory=dict)
    """In their order, keys as written and values without quotes; of a key that is there twice, the first."""


def parse(text: str) -> Infotext:
    """Take the text apart; without a line of settings all of it is prompt."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\0 \n\t").split("\n")
    place = _settings_line(lines)
    prompt, negative = _prompts(lines[:place])
    settings: dict[str, str] = {}
    for key, value in islice(_pairs(", ".join(lines[place:])), _MOST):
        settings.setdefault(key, value)
    return Infotext(prompt, negative, settings)


def _settings_line(lines: list[str]) -> int:
    """The place of the last line that is one of settings; the number of lines when there is none."""
    for place in range(len(lines) - 1, -1, -1):
        keys = {match[1].strip().lower() for match in map(_KEY.match, lines[place].split(",")) if match}
        if len(keys & _USUAL) >= _FEWEST or (keys & _USUAL and re.match(r"\s*Steps:\s*\d", lines[place])):
            return place
    return len(lines)


def _prompts(lines: list[str]) -> tuple[str, str]:
    """Everything before the line that begins the negative prompt, and everything from there."""
    start = next((place for place, line in enumerate(lines) if line.lstrip().startswith(_NEGATIVE)), len(lines))
    negative = "\n".join(lines[start:]).lstrip().removeprefix(_NEGATIVE)
    return "\n".join(lines[:start]).strip(), negative.strip()


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Key and value of each setting. A piece that has no key belongs to the value before it."""
    place, key, value = 0, "", ""
    while place < len(line):
        match = _KEY.match(line, place)
        piece, after = _value(line, match.end()) if match else _words(line, place)
        if match:
            if key:
                yield key, value
            key, value = match[1].strip(), piece
        elif piece:
            value = f"{value}, {piece}"
        place = after + 1
    if key:
        yield key, value


def _value(line: str, place: int) -> tuple[str, int]:
    """The value that begins at `place`, and where the comma after it is."""
    for read in (_quoted, _json):
        found = read(line, place)
        if found and (ending := _END.match(line, found[1])):
            return found[0], ending.end() - ending[0].endswith(",")
    return _words(line, place)


def _words(line: str, place: int) -> tuple[str, int]:
    comma = line.find(",", place)
    end = len(line) if comma < 0 else comma
    return line[place:end].strip(), end


def _quoted(line: str, place: int) -> tuple[str, int] | None:
    match = _QUOTED.match(line, place)
    if match is None:
        return None
    try:
        return str(json.loads(match[0], strict=False)), match.end()
    except ValueError:
        return match[0][1:-1], match.end()


def _json(line: str, place: int) -> tuple[str, int] | None:
    if line[place : place + 1] not in ("[", "{"):
        return None
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(line, place)
    except (ValueError, RecursionError):
        return None
    return line[place:end], end
