"""`generate --prompts`: a job for each line of a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from pipeline.commands.display import Display
from pipeline.errors import DarkroomError, InvalidRequest, StudioUnreachable, UnknownModel

STDIN = Path("-")


class Line(NamedTuple):
    """One prompt, and where it stands, counted from 1."""

    number: int
    prompt: str


def read_prompts(file: Path) -> Iterator[Line]:
    """The prompts of a file, or of stdin as they come, without blank lines and those that begin with `#`. Raises
    `InvalidRequest` for a file that is no text."""
    try:
        with nullcontext(sys.stdin) if file == STDIN else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and not line.lstrip().startswith("#"):
                    yield Line(number, line.strip())
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InvalidRequest(
            f"The prompts in {file} cannot be read: {why}.", "Name a text file, or - for stdin."
        ) from None


def make_each(lines: Iterator[Line], make: Callable[[str], None], display: Display) -> bool:
    """Make the pictures of every line, whatever becomes of the others; whether all were made. Raises what would be the
    same for every line."""
    all_made = True
    for line in lines:
        try:
            make(line.prompt)
        except DarkroomError as error:
            if _is_about_all(error):
                raise
            all_made = False
            display.fail(f"Line {line.number}: {error.info.sentence}")
    return all_made


def _is_about_all(error: DarkroomError) -> bool:
    if isinstance(error, InvalidRequest):
        return error.info.field != "prompt"
    return isinstance(error, UnknownModel | StudioUnreachable)
