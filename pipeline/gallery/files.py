"""Pictures as files: names that two processes never share, and writes that are whole or absent.

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
from tempfile import TemporaryFile

from pipeline.request import Recipe

_PART = ".part"
_PART_LIFETIME = 600.0
"""Seconds after which a temporary file belongs to a process that died: no picture takes that long to write."""


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


def remove_picture(path: Path) -> None:
    """Remove a PNG and the text beside it; what is gone already is fine. Raises `OSError`."""
    path.unlink(missing_ok=True)
    path.with_suffix(".txt").unlink(missing_ok=True)


def pictures(outputs: Path) -> Iterator[Path]:
    """Every PNG below `outputs`, in the order of their paths; hidden files and folders are not looked at."""
    for folder, subfolders, names in os.walk(outputs):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".png") and not name.startswith("."):
                yield Path(folder, name)


def clean(outputs: Path) -> None:
    """Remove temporary files that a process left when it was killed."""
    oldest = time.time() - _PART_LIFETIME
    for part in outputs.glob(f"*/.*{_PART}"):
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
