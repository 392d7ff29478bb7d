"""The files of a checkpoint: whether they are here, and whether they can be fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from huggingface_hub import constants, get_token, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from pipeline.errors import ModelUnavailable
from pipeline.models.registry import ROOT, ModelRecord


def is_here(record: ModelRecord) -> bool:
    """Whether the checkpoint's index file is on this disk: in its own folder or in the hub's cache."""
    if record.local is not None:
        return True
    return cached_file(record, "model_index.json") is not None


def cached_file(record: ModelRecord, name: str) -> Path | None:
    """A file of the checkpoint's repository in the hub's cache; None when it is not there."""
    try:
        found = try_to_load_from_cache(record.source, name)
    except HFValidationError:  # not the name of a repository, but of a folder that is gone
        return None
    return Path(found) if isinstance(found, str) else None


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


def check_available(record: ModelRecord) -> None:
    """Raise `ModelUnavailable` when it is certain, before any work, that the weights cannot be had."""
    if is_here(record):
        return
    if _names_a_folder(record):
        raise ModelUnavailable(
            f"The folder of {record.name}, {ROOT / record.source}, is missing.",
            "Put it back, or choose another model.",
            field="model",
        )
    if is_offline():
        raise ModelUnavailable(
            f"{record.name} is not on this computer, and HF_HUB_OFFLINE forbids downloads.",
            "Unset HF_HUB_OFFLINE, or choose the demo.",
            field="model",
        )
    if record.licence.gated and not has_token():
        raise ModelUnavailable(
            f"{record.name} is gated, and no Hugging Face token is set.",
            f"Accept the licence at https://huggingface.co/{record.source}, then set HF_TOKEN and start again.",
            field="model",
        )
    if record.download_bytes > cache_free_bytes():
        raise ModelUnavailable(
            f"{record.name} needs {record.download_bytes / 1e9:.1f} GB on disk; "
            f"{cache_free_bytes() / 1e9:.1f} GB are free at {cache_folder()}.",
            "Free some space, or set HF_HOME to a larger disk.",
            field="model",
        )
    if not os.access(_existing(cache_folder()), os.W_OK):
        raise ModelUnavailable(
            f"{record.name} is not on this computer, and the cache {cache_folder()} is read-only.",
            "Set HF_HOME to a folder that can be written to.",
            field="model",
        )


def _names_a_folder(record: ModelRecord) -> bool:
    """Whether the source means a folder: an absolute one, or one in the checkout."""
    return (ROOT / record.source).parent.is_dir() or Path(record.source).is_absolute()


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
