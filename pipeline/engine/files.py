"""The files of one checkpoint: fetched when they are not here, checked before they are read, and told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.errors import ModelUnavailable
from pipeline.events import Event
from pipeline.models.files.fetch import fetch as fetch_files
from pipeline.models.files.hub import sources
from pipeline.models.files.selection import INDEX, Components, listed_in, weights_among
from pipeline.models.registry import ModelRecord

_WHOLE = 32 * 2**20
"""Files up to this many bytes are digested whole, larger ones by samples."""
_SAMPLE, _SAMPLES = 2**20, 8


def fetch(record: ModelRecord, emit: Callable[[Event], None]) -> dict[str, Path]:
    """Where the checkpoint's files are, fetched into the hub's cache if need be, emitting `Fetching` meanwhile.

    Key "" has the folder (or the single file) of the checkpoint itself, the prefixes of `record.parts` have theirs,
    and `hub.CONFIG` has the configuration of a single file. The network is only used when files are missing. Raises
    `ModelUnavailable`, and what `emit` raises: that is how a download is stopped.
    """
    return fetch_files(record, emit)


def components_of(folder: Path, record: ModelRecord, source: str = "") -> Components:
    """The components in the folder of `source`, a key of what `fetch` returns, without the absent ones."""
    try:
        return listed_in(folder, source)
    except FileNotFoundError:
        raise _broken(record, folder, f"has no {INDEX}") from None
    except ValueError as error:
        raise _broken(record, folder, f"has an unreadable {INDEX} ({error})") from None


def check_component(folder: Path, name: str, record: ModelRecord, *, weights: bool) -> None:
    """Raise `ModelUnavailable` when a component's files are absent, cut short or not safetensors.

    Reads headers only, so that a damaged file is named before gigabytes are read.
    """
    place = folder / name
    if not place.is_dir():
        raise _broken(record, folder, f"has no folder “{name}”")
    if not weights:
        return
    names = {file.name for file in place.glob("*.safetensors*")}
    found = weights_among(names, record.variant)
    absent = sorted(_listed(place, record) - names) if found is None or not found.variant else []
    if absent:
        raise _broken(record, folder, f"lacks {name}/{absent[0]}")
    if found is None:
        raise _broken(record, folder, f"has no .safetensors weights in “{name}” (other formats are not opened)")
    for file in found.files:
        if file.endswith(".safetensors"):
            _check_header(place / file, record, folder)


def revision_of(folder: Path, components: Components) -> str:
    """The hub commit that `folder` holds, or a digest of its files, or of the single file that it is.

    The digest covers names, sizes and content: small files whole, large ones by eight samples of a mebibyte, so
    that it takes no time beside loading and still changes with every training run.
    """
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for file in [folder] if folder.is_file() else _files(folder, components):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        for piece in _pieces(file):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _listed(place: Path, record: ModelRecord) -> set[str]:
    """Weight files that the indexes of sharded components name."""
    names: set[str] = set()
    for index in place.glob("*.safetensors.index.json"):
        try:
            names.update(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError):
            raise _broken(record, place, f"has an unreadable {index.name}") from None
    return names


def _check_header(file: Path, record: ModelRecord, folder: Path) -> None:
    try:
        with safe_open(file, framework="pt"):
            return
    except (SafetensorError, OSError) as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        shown = file.relative_to(folder)
        raise _broken(record, folder, f"has a damaged or incomplete file {shown} ({reason})") from None


def _broken(record: ModelRecord, folder: Path, what: str) -> ModelUnavailable:
    if sources(record)[0].is_local:
        remedy = "Restore it from where it came from."
    else:
        remedy = f"Run `python -m pipeline models verify {record.id}`: what it removes is fetched again."
    return ModelUnavailable(f"{record.name} cannot be loaded: {folder} {what}.", remedy, field="model")


def _files(folder: Path, components: Components) -> Iterator[Path]:
    yield from (file for file in [folder / INDEX] if file.is_file())
    for name in sorted(components):
        yield from sorted(file for file in (folder / name).rglob("*") if file.is_file() and file.name[0] != ".")


def _pieces(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _WHOLE:
            yield stream.read()
            return
        for sample in range(_SAMPLES):
            stream.seek(sample * (size - _SAMPLE) // (_SAMPLES - 1))
            yield stream.read(_SAMPLE)
