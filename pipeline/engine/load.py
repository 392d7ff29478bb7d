"""Loads a checkpoint into a diffusers pipeline, one component at a time, and settles it on its device.

Components are loaded with their own classes and then handed to the pipeline's `from_pretrained`, because diffusers
has no hook that tells its progress. Safetensors only, no code from the hub, and no network once the files are here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import transformers

from pipeline.engine import files
from pipeline.engine.placement import Placement, settle
from pipeline.engine.preview import Projection, projection_for
from pipeline.engine.quantize import component_uses, loosen_packing, quantization_config
from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Loading
from pipeline.models.registry import ModelRecord
from pipeline.request import ComponentUse

Emit = Callable[[Event], None]
MODELS = (diffusers.ModelMixin, transformers.PreTrainedModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline that is ready, and all that recipes say about it."""

    record: ModelRecord
    placement: Placement
    pipeline: Any
    """A `diffusers.DiffusionPipeline`."""
    scheduler: Any
    """The checkpoint's own scheduler; pictures get fresh copies."""
    revision: str
    components: dict[str, ComponentUse]
    projection: Projection | None
    """The linear preview, for models whose latents it can read."""


def load(record: ModelRecord, placement: Placement, cache: Path, emit: Emit) -> Loaded:
    """Load `record` as `placement` says; `cache` keeps what can be made again.

    Raises `ModelUnavailable` for missing or damaged files, and what the libraries raise.
    """
    folder = files.fetch(record, emit)
    listed = files.components_of(folder, record)
    classes = {name: _class_of(library, kind, record) for name, (library, kind) in listed.items()}
    for name, kind in classes.items():
        files.check_component(folder, name, record, weights=issubclass(kind, MODELS))
    pipeline = _assemble(record, placement, folder, classes, emit)
    components = component_uses(pipeline, placement)
    settle(pipeline, placement)
    revision = files.revision_of(folder, listed)
    return Loaded(
        record=record,
        placement=placement,
        pipeline=pipeline,
        scheduler=pipeline.scheduler,
        revision=revision,
        components=components,
        projection=projection_for(pipeline, placement.device, revision, cache / "previews"),
    )


def _assemble(
    record: ModelRecord, placement: Placement, folder: Path, classes: dict[str, type[Any]], emit: Emit
) -> Any:
    config = quantization_config(placement, classes, record.nf4)
    total, components = len(classes), {}
    for done, (name, kind) in enumerate(classes.items()):
        emit(Loading(component=name, done=done, total=total))
        components[name] = _component(kind, folder / name, name, placement, config, record)
    emit(Loading(component="pipeline", done=total, total=total))
    pipeline_class = getattr(diffusers, record.pipelines["text"])
    pipeline = pipeline_class.from_pretrained(
        folder, dtype=placement.torch_dtype, local_files_only=True, quantization_config=config, **components
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _component(kind: type[Any], place: Path, name: str, placement: Placement, config: Any, record: ModelRecord) -> Any:
    if not issubclass(kind, MODELS):
        return kind.from_pretrained(place, local_files_only=True)
    arguments = {"dtype": placement.torch_dtype, "use_safetensors": True, "local_files_only": True}
    quantized = config is not None and name in config.quant_mapping
    if quantized:
        arguments |= {"quantization_config": config.quant_mapping[name], "device_map": {"": placement.device}}
    model, found = kind.from_pretrained(place, output_loading_info=True, **arguments)
    if found["missing_keys"]:
        raise ModelUnavailable(
            f"{record.name} cannot be loaded: {place} lacks {len(found['missing_keys'])} of the weights of {name}, "
            f"such as {min(found['missing_keys'])}.",
            "Restore the checkpoint's files, or fetch it again.",
            field="model",
        )
    if quantized:
        loosen_packing(model)
    return model.eval()


def _class_of(library: str, kind: str, record: ModelRecord) -> type[Any]:
    """A component's class. Only diffusers, its pipelines' own modules, and transformers are looked at."""
    module = getattr(diffusers.pipelines, library, None)
    if module is None and library in {"diffusers", "transformers"}:
        module = importlib.import_module(library)
    found = getattr(module, kind, None)
    if isinstance(found, type):
        return found
    raise ModelUnavailable(
        f"{record.name} cannot be loaded: it needs {library}.{kind}, which the installed libraries do not have.",
        "Update diffusers and transformers with `make setup`, or choose another model.",
        field="model",
    )
