"""Files of one's own records (`models.toml`, `hosted.toml`): changed whole or not at all, and no more than is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from pipeline.errors import BadSettings

_TABLE = re.compile(r"^\s*\[\[\s*(?:model|provider)\s*\]\]", re.MULTILINE)


def rewrite(file: Path, change: Callable[[str], str], check: Callable[[Path], object]) -> None:
    """Replace a file by its changed text, once `check` has read that without raising. What is not there is empty.

    Raises what `change` and `check` raise, and `BadSettings` when the file cannot be read or written.
    """
    temporary = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock")):
            text = change(file.read_text(encoding="utf-8") if file.exists() else "")
            temporary.write_text(text, encoding="utf-8")
            check(temporary)
            temporary.replace(file)
    except (OSError, ValueError) as error:
        raise BadSettings(f"The model records in {file} cannot be changed: {error}.", "Correct it.") from error
    finally:
        temporary.unlink(missing_ok=True)


def extended(text: str, table: str) -> str:
    """A file's text with one more table, or several, at its end."""
    return f"{text.rstrip()}\n\n{table}".lstrip()


def pieces(text: str) -> tuple[str, list[str]]:
    """What stands before the first record of a file's text, and each record with what follows it up to the next."""
    starts = [found.start() for found in _TABLE.finditer(text)] or [len(text)]
    records = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return text[: starts[0]], records
