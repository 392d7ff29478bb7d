"""Pictures as files: names that two processes never share, writes that are whole or absent, and moves.

    outputs/{org-model}/{YYYYMMDD_HHMMSS}_seed{N}.png       and .txt; -2, -3 … where the name is taken

A writer first creates `.{name}.part` exclusively, which claims the name, and then looks whether the PNG exists. Only
the holder of the claim renames onto that name, so no picture is ever overwritten, by a thread or by another process.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryFile
from typing import NamedTuple

from pipeline.recipe import Recipe

_PART = ".part"
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in a name that are not UTF-8."""
_PART_LIFETIME = 600.0
"""Seconds after which a temporary file belongs to a process that died: no picture takes that long to write."""


class Stamp(NamedTuple):
    """What changes when somebody writes a file anew: its size in bytes and its time of change in nanoseconds."""

    size: int
    modified: int


def stamp(path: Path | os.DirEntry[str]) -> Stamp | None:
    """The stamp of a file as it is now; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None


def folder_name(model_id: str) -> str:
    """The folder of a model's pictures: `org/model` becomes `org-model`, and nothing in it can leave the outputs."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model_id)[:100].strip(".-") or "model"


def stem(recipe: Recipe) -> str:
    """The file name without suffix: the local time at which the picture was made, and its seed."""
    return f"{recipe.created_at.astimezone():%Y%m%d_%H%M%S}_seed{recipe.seed}"


def write_picture(outputs: Path, recipe: Recipe, png: bytes, text: str) -> Path:
    """Write `png`, and `text` beside it, under a free name and return the PNG's path.

    The PNG appears last and complete. Raises `OSError`, leaving nothing behind, when the disk refuses.
    """
    folder = outputs / folder_name(recipe.model)
    folder.mkdir(parents=True, exist_ok=True)
    path = _claim(folder, stem(recipe))
    claim, note, note_part = _part(path), path.with_suffix(".txt"), _part(path.with_suffix(".txt"))
    try:
        _write(note_part, text.encode())
        _write(claim, png)
        note_part.replace(note)
        claim.replace(path)
    except BaseException:  # Ctrl-C too
        for leftover in (note_part, note, claim):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that may be replaced; raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{time.monotonic_ns()}-{path.name}{_PART}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def probe(outputs: Path) -> None:
    """Try to write into the outputs folder, leaving nothing behind; raises `OSError`."""
    outputs.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=outputs) as file:
        file.write(b"darkroom")
        file.flush()


def move_picture(path: Path, folder: Path) -> Path:
    """Move a PNG and the text beside it into `folder`, under a free name, and return the PNG's new path.

    Raises `OSError`, and then the PNG is where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _claim(folder, path.stem)
    try:
        path.replace(target)
    finally:
        _part(target).unlink(missing_ok=True)
    with suppress(OSError):  # the text can be written anew from the PNG
        path.with_suffix(".txt").replace(target.with_suffix(".txt"))
    return target


def pictures(outputs: Path) -> Iterator[Path]:
    """Every PNG below `outputs`, in the order of their paths; hidden files and folders are not looked at."""
    for folder, subfolders, names in os.walk(outputs):
        subfolders[:] = sorted(filter(is_shown, subfolders))
        yield from (Path(folder, name) for name in sorted(names) if is_picture(name))


def is_picture(name: str) -> bool:
    """Whether a file of that name is a PNG to look at."""
    return name.lower().endswith(".png") and is_shown(name)


def is_shown(name: str) -> bool:
    """Whether a file or folder is looked at: not a hidden one, nor one whose name is no text and cannot be told."""
    return not name.startswith(".") and not _NO_TEXT.search(name)


def clean(outputs: Path) -> None:
    """Remove temporary files that a process left when it was killed."""
    oldest = time.time() - _PART_LIFETIME
    for folder, subfolders, names in os.walk(outputs):
        subfolders[:] = filter(is_shown, subfolders)
        for name in names:
            if name.startswith(".") and name.endswith(_PART):
                _remove_older(Path(folder, name), oldest)


def _remove_older(part: Path, oldest: float) -> None:
    with suppress(OSError):
        if part.stat().st_mtime < oldest:
            part.unlink()


def _claim(folder: Path, name: str) -> Path:
    """Reserve the first free name: on return its `.part` file exists and belongs to the caller."""
    number = 1
    while True:
        path = folder / (f"{name}-{number}.png" if number > 1 else f"{name}.png")
        if _reserve(path):
            return path
        number += 1


def _reserve(path: Path) -> bool:
    try:
        _part(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    if path.exists() or path.with_suffix(".txt").exists():
        _part(path).unlink()
        return False
    return True


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}{_PART}")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new names last through a power cut, where folders can be opened (not on Windows)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
