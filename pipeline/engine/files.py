"""The files of one checkpoint: fetched when they are not here, checked before they are read, and told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from diffusers import DiffusionPipeline
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Loading
from pipeline.models import hub
from pipeline.models.registry import ModelRecord

INDEX = "model_index.json"
_WHOLE = 32 * 2**20
"""Files up to this many bytes are digested whole, larger ones by samples."""
_SAMPLE, _SAMPLES = 2**20, 8

Components = dict[str, tuple[str, str]]
"""Component name → library and class, as `model_index.json` names them."""


def fetch(record: ModelRecord, emit: Callable[[Event], None]) -> Path:
    """The checkpoint's folder: the record's own, the hub's cache, or downloaded into that cache.

    The network is only used when the cache lacks files. Raises `ModelUnavailable`, or what the hub raises.
    """
    if record.local is not None:
        return record.local
    if Path(record.source).is_absolute():
        remedy = "Put it back, or correct the source in the model's record."
        raise ModelUnavailable(f"The folder of {record.name} is not there: {record.source}.", remedy, field="model")
    cached = _cached(record)
    if cached is not None:
        return cached
    hub.check_available(record)
    emit(Loading(component="download", done=0, total=1))
    return Path(DiffusionPipeline.download(record.source, use_safetensors=True))


def components_of(folder: Path, record: ModelRecord) -> Components:
    """What `model_index.json` lists, without the components that are deliberately absent."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _broken(record, folder, f"has no {INDEX}") from None
    except ValueError as error:
        raise _broken(record, folder, f"has an unreadable {INDEX} ({error})") from None
    pairs = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2}
    return {name: (library, kind) for name, (library, kind) in pairs.items() if library and kind}


def check_component(folder: Path, name: str, record: ModelRecord, *, weights: bool) -> None:
    """Raise `ModelUnavailable` when a component's files are absent, cut short or not safetensors.

    Reads headers only, so that a damaged file is named before gigabytes are read.
    """
    place = folder / name
    if not place.is_dir():
        raise _broken(record, folder, f"has no folder “{name}”")
    if not weights:
        return
    files = sorted(place.glob("*.safetensors"))
    absent = sorted(_listed(place, record) - {file.name for file in files})
    if absent:
        raise _broken(record, folder, f"lacks {name}/{absent[0]}")
    if not files:
        raise _broken(record, folder, f"has no .safetensors weights in “{name}” (other formats are not opened)")
    for file in files:
        _check_header(file, record, folder)


def revision_of(folder: Path, components: Components) -> str:
    """The hub commit that `folder` holds, or a digest of its files.

    The digest covers names, sizes and content: small files whole, large ones by eight samples of a mebibyte, so
    that it takes no time beside loading and still changes with every training run.
    """
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for file in _files(folder, components):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        for piece in _pieces(file):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _cached(record: ModelRecord) -> Path | None:
    """The folder in the hub's cache when it is complete; of the components only models have a `config.json`."""
    try:
        folder = Path(DiffusionPipeline.download(record.source, use_safetensors=True, local_files_only=True))
        for name in components_of(folder, record):
            check_component(folder, name, record, weights=(folder / name / "config.json").is_file())
    except (LocalEntryNotFoundError, OSError, ModelUnavailable):
        return None
    return folder


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
    if record.local is None:
        remedy = f"Fetch it again: hf download {record.source} --force-download"
    else:
        remedy = "Restore the folder from where it came from."
    return ModelUnavailable(f"{record.name} cannot be loaded: {folder} {what}.", remedy, field="model")


def _files(folder: Path, components: Components) -> Iterator[Path]:
    yield folder / INDEX
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
