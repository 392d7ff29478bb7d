"""Loads a checkpoint into a diffusers pipeline, one component at a time, and settles it on its device.

Components are loaded with their own classes and then handed to the pipeline's constructor, because diffusers has no
hook that tells its progress, and finds the second half of a two-stage model only through the hub. Safetensors only, no
code from the hub, and no network once the files are here.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import diffusers
import transformers

from pipeline.engine import files, single_file
from pipeline.engine.component import load_component
from pipeline.engine.extras import sha256_of
from pipeline.engine.families import Family, family_of
from pipeline.engine.placement import Placement, settle
from pipeline.engine.preview import Projection, projection_for
from pipeline.engine.quantize import component_uses
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.engine.single_file import SingleFile
from pipeline.errors import ModelUnavailable
from pipeline.events import Event, Loading
from pipeline.models.files.hub import CONFIG
from pipeline.models.files.selection import INDEX, taken_from, variant_in
from pipeline.models.registry import ModelRecord
from pipeline.recipe import ComponentUse
from pipeline.request import Precision

Emit = Callable[[Event], None]
MODELS = (diffusers.ModelMixin, transformers.PreTrainedModel)

_RENAMED = {"CLIPFeatureExtractor": "CLIPImageProcessor"}
"""Classes that published checkpoints name as they were called once."""
_DEPRECATED = "diffusers.pipelines.deprecated"
"""Where diffusers moves pipelines that it no longer cares for; published checkpoints name them as before."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline that is ready, and all that recipes say about it."""

    record: ModelRecord
    family: Family
    placement: Placement
    pipeline: Any
    """A `diffusers.DiffusionPipeline`."""
    schedulers: Mapping[str, Any]
    """The checkpoint's own schedulers by their component names; pictures get fresh copies."""
    revision: str
    components: dict[str, ComponentUse]
    projection: Projection | None
    """The linear preview, for models whose latents it can read."""
    exceptions: dict[str, Precision]
    """Components whose precision is not what the placement's `quantization` says."""
    seconds: float
    """How long it took to load once its files were here."""

    @property
    def scheduler(self) -> Any:
        """The scheduler of the only or last stage, which requests may replace."""
        return self.schedulers["scheduler"]


@dataclass(frozen=True, slots=True)
class _Part:
    """A component of the pipeline, and where its files are."""

    name: str
    """As the pipeline calls it."""
    folder: Path
    """Of the checkpoint that holds it; of a single file, the one with its configuration."""
    there: str
    """Its name in that checkpoint."""
    kind: type[Any]
    in_file: bool
    """Whether its weights are in the single file."""

    @property
    def place(self) -> Path:
        return self.folder / self.there

    @property
    def is_scheduler(self) -> bool:
        return issubclass(self.kind, diffusers.SchedulerMixin)


def load(record: ModelRecord, placement: Placement, cache: Path, emit: Emit) -> Loaded:
    """Load `record` as `placement` says; `cache` keeps what can be made again.

    Raises `ModelUnavailable` for missing or damaged files, and what the libraries raise.
    """
    folders = files.fetch(record, emit)
    started = perf_counter()
    parts = sorted(_parts(record, folders), key=lambda part: part.name)
    for part in parts:
        files.check_component(part.folder, part.there, record, weights=_is_model(part.kind) and not part.in_file)
    pipeline = _assemble(record, placement, parts, folders, QuantizedCache(cache), emit)
    revision = _revision(record, folders)
    projection = projection_for(pipeline, placement.device, revision, cache / "previews")
    components = component_uses(pipeline)
    settle(pipeline, placement)
    return Loaded(
        record=record,
        family=family_of(record),
        placement=placement,
        pipeline=pipeline,
        schedulers={part.name: getattr(pipeline, part.name) for part in parts if part.is_scheduler},
        revision=revision,
        components=components,
        projection=projection,
        exceptions=_exceptions(record, placement),
        seconds=perf_counter() - started,
    )


def _parts(record: ModelRecord, folders: Mapping[str, Path]) -> Iterator[_Part]:
    """Every component. A prefix of `record.parts` that is a component's whole name means just that one."""
    own = folders.get(CONFIG, folders[""])
    for prefix, folder in {"": own, **{prefix: folders[prefix] for prefix in record.parts}}.items():
        single = CONFIG in folders and not prefix
        listed = single_file.components_of(folder, record) if single else files.components_of(folder, record, prefix)
        for there, (library, kind) in taken_from(prefix, listed, record.parts).items():
            name = there if prefix in listed else prefix + there
            found = _class_of(library, kind, record)
            yield _Part(name, folder, there, found, in_file=single and _is_model(found))


def _assemble(
    record: ModelRecord,
    placement: Placement,
    parts: Sequence[_Part],
    folders: Mapping[str, Path],
    cache: QuantizedCache,
    emit: Emit,
) -> Any:
    components: dict[str, Any] = {}
    file = SingleFile(record, folders[""], folders[CONFIG]) if CONFIG in folders else None
    for done, part in enumerate(parts):
        emit(Loading(component=part.name, done=done, total=len(parts)))
        if not _is_model(part.kind):
            components[part.name] = part.kind.from_pretrained(part.place, local_files_only=True)
            continue
        how: dict[str, Any] = {
            "precision": placement.precisions.get(part.name, "none"),
            "dtype": placement.dtype_of(part.name),
            "device": placement.device_of(part.name),
        }
        if part.in_file and file is not None:
            loaded = file.load(part.kind, part.there, **how)
        else:
            variant = variant_in(part.place, record.variant)
            about: dict[str, Any] = {"record": record, "cache": cache, "emit": emit, "variant": variant}
            loaded = load_component(part.kind, part.place, part.name, **how, **about)
        if placement.offload == "none" and how["precision"] == "none":
            loaded.model.to(how["device"])  # at once, so that main memory holds no more than one on its way to a GPU
        components[part.name] = loaded.model
        if loaded.report:
            emit(loaded.report)
    emit(Loading(component="pipeline", done=len(parts), total=len(parts)))
    pipeline = _construct(record, folders.get(CONFIG, folders[""]), components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _construct(record: ModelRecord, folder: Path, components: Mapping[str, Any]) -> Any:
    """The record's pipeline with `components`, and with the settings that the checkpoint's index has beside them."""
    kind: Any = getattr(diffusers, record.pipelines["text"])
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in components:
            arguments[name] = components[name]
        elif name in record.load_arguments:
            arguments[name] = record.load_arguments[name]
        elif name in index and not isinstance(index[name], list):
            arguments[name] = index[name]
        elif parameter.default is inspect.Parameter.empty:
            arguments[name] = None
    return kind(**arguments)


def _exceptions(record: ModelRecord, placement: Placement) -> dict[str, Precision]:
    usual = {name: placement.quantization if name in record.nf4 else "none" for name in placement.precisions}
    return {name: given for name, given in placement.precisions.items() if given != usual[name]}


def _revision(record: ModelRecord, folders: Mapping[str, Path]) -> str:
    """What is known of the version of each folder with weights, joined by a plus."""
    return "+".join(
        f"sha256:{sha256_of(place)}"
        if place.is_file()
        else files.revision_of(place, files.components_of(place, record, key))
        for key, place in folders.items()
        if key != CONFIG
    )


def _is_model(kind: type[Any]) -> bool:
    return issubclass(kind, MODELS)


def _class_of(library: str, kind: str, record: ModelRecord) -> type[Any]:
    """A component's class. Only diffusers, its pipelines' own modules, and transformers are looked at."""
    for module in _modules(library):
        found = getattr(module, _RENAMED.get(kind, kind), None)
        if isinstance(found, type):
            return found
    raise ModelUnavailable(
        f"{record.name} cannot be loaded: it needs {library}.{kind}, which the installed libraries do not have.",
        "Update diffusers and transformers with `make setup`, or choose another model.",
        field="model",
    )


def _modules(library: str) -> Iterator[Any]:
    """Modules that an index can mean by `library`."""
    if library in {"diffusers", "transformers"}:
        yield importlib.import_module(library)
    elif (module := getattr(diffusers.pipelines, library, None)) is not None:
        yield module
    elif library.isidentifier() and importlib.util.find_spec(f"{_DEPRECATED}.{library}"):
        yield importlib.import_module(f"{_DEPRECATED}.{library}")
