"""The quantised components on disk: what is there, how large it is, and deleting it. Free of torch.

    <cache>/quantized/<model>/<component>.<precision>.<dtype>.<device>/manifest.json
                                                                      config.json
                                                                      ….safetensors

The engine writes them (`pipeline.engine.quantized_cache`). All of it can be made again.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.request import Precision

MANIFEST = "manifest.json"
_UNFINISHED = "."
"""How the names of folders begin that are being written or deleted."""


class FileFacts(BaseModel):
    """What a file must have to count as whole."""

    model_config = ConfigDict(frozen=True)

    size: int
    checksum: str


class Manifest(BaseModel):
    """What stands beside the weights of an entry."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    model: str
    component: str
    precision: Precision
    facts: dict[str, Any]
    """All that the weights depend on; an entry whose facts are others is stale."""
    created: datetime
    seconds: float
    """How long reading and quantising took."""
    files: dict[str, FileFacts]


class CacheEntry(BaseModel):
    """One quantised component on disk."""

    model_config = ConfigDict(frozen=True)

    model: str
    """Id of its record."""
    component: str
    precision: Precision
    bytes: int
    created: datetime
    seconds: float
    """What it saves: how long reading and quantising took."""


def list_entries(cache: Path) -> list[CacheEntry]:
    """The entries in the data cache `cache`, by model and component. Whatever cannot be read is left out."""
    found = []
    for folder in _folders(cache):
        manifest = read_manifest(folder)
        if manifest is not None:
            found.append(_entry(manifest))
    return sorted(found, key=lambda entry: (entry.model, entry.component, entry.precision))


def clear(cache: Path, model: str | None = None) -> int:
    """Delete the entries of the record `model`, or all, unfinished ones too; returns the bytes that were freed.

    A component that is being loaded from one at this moment is quantised afresh instead.
    """
    freed = 0
    for folder in _folders(cache, model):
        size = sum(file.stat().st_size for file in folder.glob("*"))
        drop(folder)
        freed += 0 if folder.exists() else size
    return freed


def model_folder(cache: Path, model: str) -> Path:
    """The folder of a record's entries: its id in letters that every file system takes, made unique by a digest."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", model)[:60].strip("-")
    return cache / "quantized" / f"{readable}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def unfinished(folder: Path) -> Path:
    """A name beside `folder` that nobody reads, for what is being written or deleted."""
    return folder.with_name(f"{_UNFINISHED}{uuid4().hex}")


def is_unfinished(folder: Path) -> bool:
    """Whether `folder` has such a name."""
    return folder.name.startswith(_UNFINISHED)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the entry in `folder`; None when it is missing or damaged."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def drop(folder: Path) -> None:
    """Delete an entry, at once as far as others can see. One that cannot be deleted stays."""
    doomed = unfinished(folder)
    try:
        folder.rename(doomed)
    except OSError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def _folders(cache: Path, model: str | None = None) -> Iterator[Path]:
    parents = [model_folder(cache, model)] if model is not None else sorted((cache / "quantized").glob("*"))
    for parent in parents:
        yield from sorted(folder for folder in parent.glob("*") if folder.is_dir())


def _entry(manifest: Manifest) -> CacheEntry:
    return CacheEntry(
        model=manifest.model,
        component=manifest.component,
        precision=manifest.precision,
        bytes=sum(facts.size for facts in manifest.files.values()),
        created=manifest.created,
        seconds=manifest.seconds,
    )
