"""Turns what torch, diffusers and the hub raise into errors that say what happened and what to do next."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import torch
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from pipeline.errors import DarkroomError, DependencyMissing, EngineFailed, ModelUnavailable, OutOfMemory
from pipeline.models import hub
from pipeline.models.registry import ModelRecord

_DETAILS = 4000
"""Characters of traceback that an error keeps."""

Explanation = Callable[[BaseException, ModelRecord], DarkroomError | None]


@contextmanager
def explained(record: ModelRecord, doing: str, beside: type[Exception] = DarkroomError) -> Iterator[None]:
    """Let only `DarkroomError` (and `beside`) out of the block; `doing` completes “failed while”."""
    try:
        yield
    except (DarkroomError, beside):
        raise
    except Exception as error:
        explanation = explain(error, record, doing)
        # Its frames hold tensors, and with them the memory that may have run out.
        traceback.clear_frames(error.__traceback__)
        raise explanation from None


def explain(error: BaseException, record: ModelRecord, doing: str) -> DarkroomError:
    """The error of Darkroom's tree for `error`, judged by it and by what caused it."""
    for link in _chain(error):
        for explanation in _EXPLANATIONS:
            if (found := explanation(link, record)) is not None:
                return found
    details = "".join(traceback.format_exception(error))[-_DETAILS:]
    return EngineFailed(
        f"{record.name} failed while {doing}: {error}", "The details are for a bug report.", details=details
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _memory(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    text = str(error).lower()
    on_host = isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text)
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemory(
            f"The GPU's memory ran out with {record.name}.",
            "Choose a smaller size, quantization nf4 or offload model, or close other programs that use the GPU.",
        )
    if isinstance(error, MemoryError) or on_host:
        return OutOfMemory(
            f"Main memory ran out with {record.name}.",
            "Choose a smaller size or quantization nf4, or close other programs.",
        )
    return None


def _gated(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if not isinstance(error, GatedRepoError):
        return None
    page = f"https://huggingface.co/{record.source}"
    if hub.has_token():
        message = f"{record.name} is gated, and the account of this Hugging Face token has not been let in."
        return ModelUnavailable(message, f"Accept the licence at {page} with that account, then try again.")
    message = f"{record.name} is gated, and no Hugging Face token is set."
    return ModelUnavailable(message, f"Accept the licence at {page}, then set HF_TOKEN and start again.")


def _unknown(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if not isinstance(error, RepositoryNotFoundError | HFValidationError):
        return None
    return ModelUnavailable(
        f"There is no folder {record.source} here, and the hub knows no such model or keeps it private.",
        "Check the source in the model's record; for a private model set HF_TOKEN.",
    )


def _network(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if isinstance(error, OfflineModeIsEnabled):
        message = f"{record.name} is not complete on this computer, and HF_HUB_OFFLINE forbids downloads."
        return ModelUnavailable(message, "Unset HF_HUB_OFFLINE, or choose the demo.")
    if not isinstance(error, httpx2.TransportError | ConnectionError | LocalEntryNotFoundError):
        return None
    return ModelUnavailable(
        f"{record.name} is not complete on this computer, and the hub cannot be reached.",
        "Check the network connection and try again; a download goes on where it stopped.",
    )


def _hub(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if isinstance(error, EntryNotFoundError):
        message = f"{record.source} on the hub is not a diffusers checkpoint: {error}"
        return ModelUnavailable(message, "Choose a repository that has a model_index.json.")
    if not isinstance(error, HfHubHTTPError):
        return None
    return ModelUnavailable(f"The hub refused to send {record.name}: {error}", "Try again later, or check HF_TOKEN.")


def _disk(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if not isinstance(error, OSError) or error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    return ModelUnavailable(
        f"The disk of {hub.cache_folder()} is full; {record.name} could not be stored.",
        "Free some space, or set HF_HOME to a larger disk.",
    )


def _package(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if not isinstance(error, ImportError):
        return None
    return DependencyMissing(
        f"{record.name} needs a package that is not here: {error}", "Run `make setup` and start again."
    )


_EXPLANATIONS: tuple[Explanation, ...] = (_memory, _gated, _unknown, _network, _hub, _disk, _package)
