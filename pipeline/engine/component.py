"""Loads one model component from its folder: safetensors only, in the dtype and precision that the plan says.

A quantised component is written to the cache once, and read from there afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel

from pipeline.engine.quantize import (
    keep_list,
    make_usable,
    quantization_config,
    report_on,
    settled,
)
from pipeline.engine.quantized_cache import QuantizedCache, key_of
from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Quantized, Warned
from pipeline.models.registry import ModelRecord
from pipeline.request import Precision

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class LoadedComponent:
    """A component that is ready, and what its quantisation did; None where nothing was quantised."""

    model: Any
    """A `torch.nn.Module`."""
    report: Quantized | None


def load_component(
    kind: type[Any],
    folder: Path,
    name: str,
    *,
    precision: Precision,
    dtype: torch.dtype,
    device: str,
    record: ModelRecord,
    cache: QuantizedCache,
    emit: Emit,
    variant: str = "",
) -> LoadedComponent:
    """Load the component `name` (as the pipeline calls it) from its own `folder`.

    `kind` is a diffusers or transformers model class. Quantised components land on `device`, others in main memory.
    Raises `ModelUnavailable` for weights that lack tensors, and what the libraries raise.
    """
    precision = settled(kind, precision, dtype)
    if precision == "none":
        return LoadedComponent(read_component(kind, folder, name, record, dtype=dtype, variant=variant or None), None)
    begun = time.perf_counter()
    config = quantization_config(kind, folder, precision, dtype, device)
    key = key_of(
        record, name, kind, folder, precision=precision, config=config, dtype=dtype, device=device, variant=variant
    )
    placing = {"dtype": dtype, "device_map": {"": device}}
    with keep_list(kind, precision):
        model = _kept(cache.find(key), kind, name, record, placing)
        cached = model is not None
        if model is None:
            model = read_component(
                kind, folder, name, record, quantization_config=config, variant=variant or None, **placing
            )
    seconds = time.perf_counter() - begun
    if not cached:
        problem = cache.store(key, model, seconds)
        if problem is not None:
            emit(Warned(message=f"The quantised {name} of {record.name} is not kept on disk: {problem}."))
    make_usable(model)
    return LoadedComponent(model, report_on(model, name, seconds, cached=cached))


def _kept(folder: Path | None, kind: type[Any], name: str, record: ModelRecord, placing: dict[str, Any]) -> Any:
    """The component from its entry in the cache; None without one, or when another process deletes it meanwhile."""
    if folder is None:
        return None
    try:
        return read_component(kind, folder, name, record, **placing)
    except (OSError, SafetensorError):
        return None


def read_component(kind: type[Any], folder: Path, name: str, record: ModelRecord, **arguments: Any) -> Any:
    """The component as `arguments` of its class's `from_pretrained` say. Raises as `load_component`."""
    model, found = kind.from_pretrained(
        folder, output_loading_info=True, use_safetensors=True, local_files_only=True, **arguments
    )
    absent = set(found["missing_keys"]) - _tied_again(model)
    if absent:
        raise ModelUnavailable(
            f"{record.name} cannot be loaded: {folder} lacks {len(absent)} of the weights of {name}, "
            f"such as {min(absent)}.",
            "Restore the checkpoint's files, or fetch it again.",
            field="model",
        )
    return model.eval()


def _tied_again(model: Any) -> set[str]:
    """The names of weights that transformers models within one of diffusers' share with others of theirs, such as the
    GPT-2 in UniDiffuser's text decoder. Files need not repeat them, and diffusers does not tie them."""
    names = set()
    for place, inner in model.named_modules():
        if inner is not model and isinstance(inner, PreTrainedModel) and getattr(inner, "_tied_weights_keys", None):
            inner.tie_weights()
            names |= {f"{place}.{key}" for key in inner._tied_weights_keys}
    return names
