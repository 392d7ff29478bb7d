"""Turns what torch, diffusers and the hub raise into errors that say what happened and what to do next."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from pipeline.errors import DarkroomError, DependencyMissing, EngineFailed, OutOfMemory
from pipeline.models.files import hub_errors
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


def _package(error: BaseException, record: ModelRecord) -> DarkroomError | None:
    if not isinstance(error, ImportError):
        return None
    return DependencyMissing(
        f"{record.name} needs a package that is not here: {error}", "Run `make setup` and start again."
    )


_EXPLANATIONS: tuple[Explanation, ...] = (_memory, hub_errors.explain, _package)
