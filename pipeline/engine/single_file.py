"""Loads a checkpoint that is one `.safetensors` file in its makers' layout, component by component.

The library converts the tensors (`from_single_file`); configuration and tokenizers come from the repository or folder
that the record names in `config`. Components that the file lacks are in the record's `parts` and loaded like any other.
`unet`, `transformer` and `vae` are quantised while they are read; text encoders are read whole first, since the library
offers nothing else. The cache of quantised components is not used: it knows folders only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import (
    create_diffusers_clip_model_from_ldm,
    create_diffusers_t5_model_from_checkpoint,
    load_single_file_checkpoint,
)
from diffusers.quantizers.auto import AUTO_QUANTIZER_MAPPING

from pipeline.engine import files
from pipeline.engine.component import LoadedComponent
from pipeline.engine.quantize import keep_list, make_usable, quantization_config, report_on, settled
from pipeline.errors import ModelUnavailable
from pipeline.models.files.selection import Components
from pipeline.models.header import read_header
from pipeline.models.own.identify import an, identify
from pipeline.models.registry import ModelRecord
from pipeline.request import Precision

_NEVER_INSIDE = {"safety_checker", "feature_extractor", "image_encoder"}
"""Components that a pipeline can do without and that no single file holds."""


def components_of(config: Path, record: ModelRecord) -> Components:
    """The components of a single file's pipeline, as the `model_index.json` of its configuration lists them."""
    listed = files.components_of(config, record)
    return {name: pair for name, pair in listed.items() if name not in _NEVER_INSIDE}


class SingleFile:
    """One file, opened: hands out the components that are in it."""

    def __init__(self, record: ModelRecord, file: Path, config: Path) -> None:
        """`config` is the folder with the configuration of each component.

        Raises `ModelUnavailable` for a file that cannot be used.
        """
        self._record, self._config = record, config
        try:
            kind = identify(read_header(file))
        except (OSError, ValueError) as error:
            raise self._broken(f"{file} cannot be read: {error}") from None
        if kind.refusal or kind.kind != "checkpoint":
            raise self._broken(f"{file} {kind.refusal or f'is {an(kind.kind)}'}")
        self._tensors: dict[str, torch.Tensor] = load_single_file_checkpoint(str(file))

    def load(
        self, kind: type[Any], name: str, *, precision: Precision, dtype: torch.dtype, device: str
    ) -> LoadedComponent:
        """The component `name` of class `kind`. Quantised ones land on `device`, others in main memory.

        Raises `ModelUnavailable` for weights that lack tensors, and what the libraries raise.
        """
        precision = settled(kind, precision, dtype)
        begun = time.perf_counter()
        if precision == "none":
            return LoadedComponent(self._read(kind, name, dtype), None)
        config = quantization_config(kind, self._config / name, precision, dtype, device)
        with keep_list(kind, precision):
            model = self._read(kind, name, dtype, quantization_config=config, device=device)
        make_usable(model)
        return LoadedComponent(model, report_on(model, name, time.perf_counter() - begun, cached=False))

    def _read(self, kind: type[Any], name: str, dtype: torch.dtype, **quantization: Any) -> Any:
        read = self._denoiser_or_vae if issubclass(kind, diffusers.ModelMixin) else self._text_encoder
        try:
            return self._complete(read(kind, name, dtype, **quantization), name)
        except KeyError as error:
            raise self._broken(f"it lacks {error} of the weights of {name}") from None
        except NotImplementedError:  # the library fails to move what was not there
            raise self._broken(f"it lacks some of the weights of {name}") from None
        except ValueError as error:
            if "expected shape" not in str(error):
                raise
            raise self._broken(f"its {name} is not of the shape that {self._record.config} describes") from error

    def _denoiser_or_vae(self, kind: type[Any], name: str, dtype: torch.dtype, **quantization: Any) -> Any:
        # A copy of the names: some converters take the tensors out of the dictionary that they are given.
        with _weights_are_whole():
            return kind.from_single_file(
                dict(self._tensors),
                config=str(self._config),
                subfolder=name,
                local_files_only=True,
                dtype=dtype,
                **quantization,
            )

    def _text_encoder(
        self, kind: type[Any], name: str, dtype: torch.dtype, quantization_config: Any = None, device: str = "cpu"
    ) -> Any:
        create = (
            create_diffusers_t5_model_from_checkpoint
            if issubclass(kind, transformers.T5EncoderModel)
            else create_diffusers_clip_model_from_ldm
        )
        model = create(
            kind,
            dict(self._tensors),
            subfolder=name,
            config=str(self._config),
            torch_dtype=dtype,
            local_files_only=True,
        )
        if quantization_config is None:
            return model
        whole = self._complete(model, name)
        return kind.from_pretrained(
            None,
            config=whole.config,
            state_dict=whole.state_dict(),
            quantization_config=quantization_config,
            device_map={"": device},
            dtype=dtype,
        )

    def _complete(self, model: Any, name: str) -> Any:
        """`model`, once it is sure that all its weights were in the file."""
        absent = sorted(key for key, tensor in model.named_parameters() if tensor.is_meta)
        if absent:
            raise self._broken(f"it lacks {len(absent)} of the weights of {name}, such as {absent[0]}")
        return model.eval()

    def _broken(self, what: str) -> ModelUnavailable:
        remedy = "Fetch the file again from where it came from, or choose another model."
        return ModelUnavailable(f"{self._record.name} cannot be loaded: {what}.", remedy, field="model")


@contextmanager
def _weights_are_whole() -> Iterator[None]:
    """`from_single_file` takes it that a file is quantised already when it is asked for four or eight bits, and lets
    nobody say otherwise; its quantisers do."""
    kept = dict(AUTO_QUANTIZER_MAPPING)
    try:
        AUTO_QUANTIZER_MAPPING.update({method: partial(kind, pre_quantized=False) for method, kind in kept.items()})
        yield
    finally:
        AUTO_QUANTIZER_MAPPING.update(kept)
