"""LoRAs and another VAE: put into a loaded pipeline for one job, and taken out again.

    with applied(pipeline, record, request, shelf) as used:
        ...                                   # pictures; `used` goes into their recipes

Afterwards the pipeline is as it was: a job without extras makes the same bytes, whatever ran before it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL

from pipeline.errors import InvalidRequest
from pipeline.models.own.extras import check_extras
from pipeline.models.own.shelf import Shelf, ShelfFile
from pipeline.models.registry import ROOT, ModelRecord
from pipeline.recipe import FileUse
from pipeline.request import GenerationRequest

_DETAIL = "detail"
_digests: dict[tuple[str, int, int], str] = {}
"""Path, time of change and size → SHA-256, so that a file is read once."""


@dataclass(frozen=True, slots=True)
class Used:
    """What took part, as recipes say it."""

    loras: tuple[FileUse, ...] = ()
    vae: FileUse | None = None


@contextmanager
def applied(pipeline: Any, record: ModelRecord, request: GenerationRequest, shelf: Shelf) -> Iterator[Used]:
    """Hold the request's LoRAs and VAE in `pipeline` while the context lasts.

    Raises what `check_extras` does, and `InvalidRequest` for files whose weights do not fit the model after all.
    """
    check_extras(record, request, shelf)
    loras = [(shelf.lora(use.name), use.weight) for use in request.loras]
    vae = shelf.vae(request.vae) if request.vae else None
    own = pipeline.components.get("vae")
    try:
        if loras:
            apply_loras(pipeline, [(file.path, weight) for file, weight in loras], record)
        if vae is not None:
            replace_vae(pipeline, vae.path, record)
        yield Used(
            loras=tuple(_use(file, weight) for file, weight in loras), vae=None if vae is None else _use(vae, None)
        )
    finally:
        if loras:
            pipeline.unload_lora_weights()
        if vae is not None and pipeline.vae is not own:
            _put(pipeline, own)


@contextmanager
def detailed(pipeline: Any, record: ModelRecord, weights: Sequence[float]) -> Iterator[None]:
    """Hold the record's own LoRA for windows of enlarged pictures in `pipeline`, beside those of the request with these
    `weights`, while the context lasts."""
    if not record.detail:
        yield
        return
    names, path = _adapter_names(len(weights)), ROOT / record.detail
    with _several_are_meant():
        pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=_DETAIL, local_files_only=True)
    pipeline.set_adapters([*names, _DETAIL], [*weights, 1.0])
    try:
        yield
    finally:
        if names:
            pipeline.delete_adapters(_DETAIL)
            pipeline.set_adapters(names, list(weights))
        else:
            pipeline.unload_lora_weights()


def detail_used(record: ModelRecord) -> FileUse | None:
    """The record's own LoRA for that, as recipes say it."""
    path = ROOT / record.detail
    return FileUse(name=path.stem, sha256=sha256_of(path)) if record.detail else None


def apply_loras(pipeline: Any, files: Sequence[tuple[Path, float]], record: ModelRecord) -> None:
    """Add the LoRA in each file to `pipeline`, with its weight.

    Raises `InvalidRequest`, and leaves none behind, when one does not fit.
    """
    with _several_are_meant():
        _apply_loras(pipeline, files, record)


@contextmanager
def _several_are_meant() -> Iterator[None]:
    """Without peft's warning about several adapters."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"peft\.")
        yield


def _apply_loras(pipeline: Any, files: Sequence[tuple[Path, float]], record: ModelRecord) -> None:
    names = _adapter_names(len(files))
    for name, (path, _) in zip(names, files, strict=True):
        try:
            pipeline.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=name, local_files_only=True
            )
        except torch.OutOfMemoryError:
            raise
        except (ValueError, RuntimeError, KeyError, AttributeError, IndexError) as error:
            pipeline.unload_lora_weights()
            raise _unfit(path, record, _reason(error)) from error
        if not any(name in adapters for adapters in pipeline.get_list_adapters().values()):
            pipeline.unload_lora_weights()
            raise _unfit(path, record, "none of its layers are in the model")
    pipeline.set_adapters(names, [weight for _, weight in files])


def _adapter_names(count: int) -> list[str]:
    return [f"lora_{place}" for place in range(count)]


def replace_vae(pipeline: Any, path: Path, record: ModelRecord) -> None:
    """Put the VAE at `path` in the place of the pipeline's own, with the dtype, scaling and device of that one.

    Raises `InvalidRequest` when it does not fit.
    """
    own = pipeline.vae
    try:
        vae = _read_vae(path, own)
    except torch.OutOfMemoryError:
        raise
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        raise InvalidRequest(
            f"The VAE {path.stem} does not fit {record.name}: {_reason(error)}.",
            "Choose another one.",
            field="vae",
        ) from error
    _put(pipeline, vae.to(pipeline._execution_device).eval())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read once for as long as it does not change."""
    facts = path.stat()
    key = (str(path), facts.st_mtime_ns, facts.st_size)
    if key not in _digests:
        with path.open("rb") as stream:
            _digests[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _digests[key]


def _read_vae(path: Path, own: AutoencoderKL) -> AutoencoderKL:
    """The VAE in a folder of diffusers' or in one file; of the latter's settings only the tensors tell, so the rest,
    the scaling of the latents above all, is that of the model's own VAE."""
    if (path.parent / "config.json").is_file():
        return AutoencoderKL.from_pretrained(path.parent, dtype=own.dtype, use_safetensors=True, local_files_only=True)
    with TemporaryDirectory() as folder:
        own.save_config(folder)
        return AutoencoderKL.from_single_file(str(path), config=folder, local_files_only=True, dtype=own.dtype)


def _put(pipeline: Any, vae: Any) -> None:
    pipeline.register_modules(vae=vae)
    pipeline.maybe_free_model_hooks()  # with model offload: hooks for the components as they are now


def _use(file: ShelfFile, weight: float | None) -> FileUse:
    return FileUse(name=file.name, sha256=sha256_of(file.path), weight=weight)


def _unfit(path: Path, record: ModelRecord, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The LoRA {path.stem} does not fit {record.name}: {reason}.", "Remove it, or choose another.", field="loras"
    )


def _reason(error: Exception) -> str:
    """What a loader's error means, in a clause."""
    text = str(error)
    if "size mismatch" in text or "expected shape" in text:
        return "its layers have other sizes than those of the model"
    if "meta tensor" in text:
        return "it lacks some of the weights"
    if "not found in the base model" in text:
        return "none of its layers are in the model"
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
