"""The files of a checkpoint: where they are, whether they are complete, and whether they can be fetched.

Nothing here uses the network, and all of it is quick enough for drawing a page.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, get_token
from huggingface_hub.file_download import repo_folder_name

from pipeline.errors import ModelUnavailable
from pipeline.models.files.selection import INDEX, Components, lacking, taken_from
from pipeline.models.registry import ROOT, ModelRecord

CONFIG = "config"
"""Key of the repository with the configuration of a single file; the other keys are the prefixes of `parts`."""
BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Source:
    """One place that files of a checkpoint come from."""

    key: str
    """"" for the checkpoint's own, a prefix of `ModelRecord.parts`, or `CONFIG`."""
    name: str
    """A hub repository, a folder, or a `.safetensors` file."""
    prefixes: tuple[str, ...] = ()
    """The keys of all parts: what they give is not taken from the checkpoint's own source."""
    weights: bool = True
    """Whether its weights are needed, or only configuration and vocabulary."""

    @property
    def is_local(self) -> bool:
        """Whether the name means a folder or file on this disk, there or gone, and no repository of the hub."""
        return self.is_file or Path(self.name).is_absolute() or (ROOT / self.name).parent.is_dir()

    @property
    def is_file(self) -> bool:
        """Whether it is a checkpoint in one file."""
        return self.name.endswith(".safetensors")

    @property
    def place(self) -> Path | None:
        """Where its files are now: the folder or file itself, or the snapshot in the hub's cache, complete or not."""
        if self.is_local:
            return ROOT / self.name if (ROOT / self.name).exists() else None
        return snapshot(self.name)

    def lacks(self) -> str | None:
        """The first file that is missing for loading; None when all is here. A local folder counts as complete: what
        it lacks is told when it is loaded."""
        place = self.place
        if self.is_local:
            return None if place is not None else str(ROOT / self.name)
        return INDEX if place is None else lacking(place, self.taken, source=self.key, weights=self.weights)

    def taken(self, listed: Components) -> Components:
        """The needed ones of the components that its `model_index.json` lists."""
        return taken_from(self.key, listed, self.prefixes)


def sources(record: ModelRecord) -> tuple[Source, ...]:
    """Where the files of `record` come from; its own source is first."""
    own = Source("", record.source, tuple(record.parts))
    parts = tuple(Source(prefix, name) for prefix, name in record.parts.items())
    config = (Source(CONFIG, record.config, weights=False),) if record.config else ()
    return (own, *parts, *config)


def is_here(record: ModelRecord) -> bool:
    """Whether all files that the checkpoint needs are on this disk: in folders of their own or in the hub's cache."""
    return all(source.lacks() is None for source in sources(record))


def places(record: ModelRecord) -> dict[str, Path]:
    """Key of each source → its folder (or file) on this disk, for those that are here."""
    found = {source.key: source.place for source in sources(record)}
    return {key: place for key, place in found.items() if place is not None}


def repository_folder(repository: str) -> Path:
    """The folder of a repository in the hub's cache."""
    return cache_folder() / repo_folder_name(repo_id=repository, repo_type="model")


def snapshot(repository: str) -> Path | None:
    """The folder with the files of the repository's main branch in the hub's cache; None when there is none."""
    try:
        folder = repository_folder(repository)
        commit = (folder / "refs" / BRANCH).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):  # a name that no repository can have is a ValueError too
        return None
    found = folder / "snapshots" / commit
    return found if commit and found.is_dir() else None


def has_token() -> bool:
    """Whether a Hugging Face token is set (`HF_TOKEN`, or a past `hf auth login`)."""
    return get_token() is not None


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return constants.HF_HUB_OFFLINE


def cache_folder() -> Path:
    """The hub's cache, as `HF_HOME` and its kin place it."""
    return Path(constants.HF_HUB_CACHE)


def cache_free_bytes() -> int:
    """Free bytes on the disk of the hub's cache, also when the folder does not exist yet."""
    return shutil.disk_usage(_existing(cache_folder())).free


def begun_bytes(repository: str) -> int:
    """Bytes of the repository that are in the hub's cache, those of interrupted downloads included."""
    try:
        return sum(entry.stat().st_size for entry in os.scandir(repository_folder(repository) / "blobs"))
    except (OSError, ValueError):
        return 0


def check_available(record: ModelRecord) -> None:
    """Raise `ModelUnavailable` when it is certain, before any work, that the weights cannot be had."""
    if is_here(record):
        return
    absent = [source for source in sources(record) if source.lacks() is not None]
    for source in absent:
        if source.is_local:
            raise _gone(record, source)
    if is_offline():
        raise offline(record)
    if record.licence.gated and not has_token():
        raise ModelUnavailable(
            f"{record.name} is gated, and no Hugging Face token is set.",
            f"Accept the licence at https://huggingface.co/{record.source}, then set HF_TOKEN and start again.",
            field="model",
        )
    check_room(record, record.download_bytes - sum(begun_bytes(source.name) for source in absent))
    if not _is_writable(_existing(cache_folder())):
        raise read_only(record)


def check_room(record: ModelRecord, wanted: int) -> None:
    """Raise `ModelUnavailable` when the disk of the hub's cache has no room for `wanted` bytes."""
    if wanted > (free := cache_free_bytes()):
        raise ModelUnavailable(
            f"{record.name} needs {_size(wanted)} on disk; {_size(free)} are free at {cache_folder()}.",
            "Free some space, or set HF_HOME to a larger disk.",
            field="model",
        )


def offline(record: ModelRecord) -> ModelUnavailable:
    """The refusal when files are missing and the network is forbidden."""
    begun = any(source.place is not None and not source.is_local for source in sources(record))
    how = "is not complete" if begun else "is not"
    return ModelUnavailable(
        f"{record.name} {how} on this computer, and HF_HUB_OFFLINE forbids downloads.",
        "Unset HF_HUB_OFFLINE, or choose the demo.",
        field="model",
    )


def read_only(record: ModelRecord) -> ModelUnavailable:
    """The refusal when files are missing and the cache cannot be written."""
    return ModelUnavailable(
        f"{record.name} is not complete on this computer, and the cache {cache_folder()} is read-only.",
        "Set HF_HOME to a folder that can be written to.",
        field="model",
    )


def _gone(record: ModelRecord, source: Source) -> ModelUnavailable:
    what = "file" if source.is_file else "folder"
    return ModelUnavailable(
        f"The {what} of {record.name} is not there: {ROOT / source.name}.",
        "Put it back, or correct the source in the model's record.",
        field="model",
    )


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _size(count: int) -> str:
    """Bytes in a form for people."""
    return f"{count / 1e9:.1f} GB" if count >= 10**8 else f"{count / 1e6:.1f} MB"


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
