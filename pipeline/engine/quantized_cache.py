"""Keeps quantised components on disk, so that they are quantised once and loaded from there afterwards.

An entry is a folder as diffusers and transformers save and load it, with a manifest: what the weights depend on, and
size and checksum of each file. It is written under a name that nobody reads, then renamed; whatever does not match is
deleted. Losing an entry costs time only, so nothing here ever fails a load.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from pipeline.engine.quantize import component_use
from pipeline.models.cache import (
    MANIFEST,
    FileFacts,
    Manifest,
    drop,
    is_unfinished,
    model_folder,
    read_manifest,
    unfinished,
)
from pipeline.models.registry import ModelRecord
from pipeline.request import Precision

_SPARE = 512 * 2**20
"""Bytes that an entry leaves free on its disk."""
_PIECE = 32 * 2**20
_WHOLE, _SAMPLE, _SAMPLES = 32 * 2**20, 2**20, 8
"""Source files up to `_WHOLE` bytes are digested whole, larger ones by samples."""
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Key:
    """Which component in which precision, and all that its quantised weights depend on."""

    model: str
    """Id of the record."""
    component: str
    precision: Precision
    dtype: str
    device: str
    """Kind of device that quantises: processors and GPUs need not round alike."""
    facts: dict[str, Any]


class QuantizedCache:
    """The quantised components in the data cache `cache`. Several processes may share it."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def find(self, key: Key) -> Path | None:
        """The folder to load `key` from; None when there is no entry. A stale or damaged one is deleted."""
        folder = self._folder(key)
        if not folder.exists():
            return None
        manifest = read_manifest(folder)
        if manifest is not None and manifest.facts == key.facts and _is_whole(folder, manifest):
            return folder
        drop(folder)
        return None

    def store(self, key: Key, model: Any, seconds: float) -> str | None:
        """Keep `model`, which took `seconds` to quantise; returns why it could not be kept, or None.

        Call it before the model is used: on processors bitsandbytes repacks the weights then, which loses some bits
        of their scales.
        """
        folder = self._folder(key)
        draft = unfinished(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _sweep(folder.parent)
            if shutil.disk_usage(folder.parent).free < component_use(model).bytes_after + _SPARE:
                return "there is too little free space"
            model.save_pretrained(draft)
            _write_manifest(draft, key, seconds)
            draft.rename(folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            return None if folder.exists() else str(error)  # another process was quicker
        return None

    def _folder(self, key: Key) -> Path:
        name = f"{key.component}.{key.precision}.{key.dtype}.{key.device}"
        return model_folder(self._cache, key.model) / name


def key_of(
    record: ModelRecord,
    name: str,
    kind: type,
    folder: Path,
    *,
    precision: Precision,
    config: Any,
    dtype: torch.dtype,
    device: str,
    variant: str,
) -> Key:
    """The key of the component `name`: class `kind`, read from its `folder`, quantised as `config` says."""
    placed, plain = torch.device(device).type, str(dtype).removeprefix("torch.")
    libraries = ("torch", "bitsandbytes", "diffusers", "transformers", "accelerate")
    facts = {
        "source": record.source,
        "files": _digest(folder),
        "variant": variant,
        "class": f"{kind.__module__}.{kind.__name__}",
        "config": config.to_dict(),
        "dtype": plain,
        "device": placed,
        "versions": {library: version(library) for library in libraries},
    }
    return Key(record.id, name, precision, plain, placed, json.loads(json.dumps(facts, default=str)))


def _digest(folder: Path) -> str:
    """A digest of a component's configuration and weights.

    Reads small files whole and of large ones eight samples of a mebibyte, so that it takes no time beside loading;
    the time of their last change stands for the rest.
    """
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        facts = file.stat()
        digest.update(f"{file.name}\0{facts.st_size}\0".encode())
        if facts.st_size > _WHOLE:
            digest.update(str(facts.st_mtime_ns).encode())
        for piece in _pieces(file, facts.st_size):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(file: Path, size: int) -> Iterator[bytes]:
    with file.open("rb") as stream:
        if size <= _WHOLE:
            yield stream.read()
            return
        for sample in range(_SAMPLES):
            stream.seek(sample * (size - _SAMPLE) // (_SAMPLES - 1))
            yield stream.read(_SAMPLE)


def _write_manifest(draft: Path, key: Key, seconds: float) -> None:
    manifest = Manifest(
        model=key.model,
        component=key.component,
        precision=key.precision,
        facts=key.facts,
        created=datetime.now(UTC),
        seconds=round(seconds, 2),
        files={file.name: _facts(file) for file in sorted(draft.iterdir())},
    )
    (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        return all(_facts(folder / name) == facts for name, facts in manifest.files.items())
    except OSError:
        return False


def _facts(file: Path) -> FileFacts:
    """Size and checksum: CRC-32 of every 32 MiB, by several threads.

    It guards against damage, not malice, and is several times as fast as SHA-256; what is read here, the loading
    then finds in memory.
    """
    size = file.stat().st_size

    def checksum(start: int) -> str:
        with file.open("rb") as stream:
            stream.seek(start)
            return f"{zlib.crc32(stream.read(_PIECE)):08x}"

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        return FileFacts(size=size, checksum="".join(threads.map(checksum, range(0, size, _PIECE))))


def _sweep(folder: Path) -> None:
    """Delete what processes that were killed left half-written more than an hour ago."""
    for left in folder.iterdir():
        if is_unfinished(left) and time.time() - left.stat().st_mtime > _HOUR:
            shutil.rmtree(left, ignore_errors=True)
