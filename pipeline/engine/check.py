"""The self-test of a record: what can be tested without weights.

    python -m pipeline.engine.check [--json] [ID …]      without an id, all models

Its classes exist, the pipeline takes every argument that the record names, its components are those of the
record, and each component, built from its configuration on torch's meta device, has the size that
`architectures.toml` says. Takes well under a second for a model, once the libraries are imported.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
import transformers
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.base import get_keys_to_not_convert
from transformers.quantizers.quantizers_utils import should_convert_module

from pipeline.engine.quantize import UNFIT
from pipeline.engine.quiet import hush
from pipeline.errors import DarkroomError
from pipeline.inputs import Task
from pipeline.models.architectures import ARCHITECTURES, Architecture
from pipeline.models.finding import Finding
from pipeline.models.registry import ModelRecord, Registry
from pipeline.settings import Settings

_MODERN, _LEGACY = "callback_on_step_end", "callback"
_NOT_MODELS = ("tokenizer", "scheduler", "processor", "feature_extractor")
"""Words in the names of components that have no weights."""
_PICTURES: dict[Task, tuple[str, ...]] = {
    "image": ("image", "strength"),
    "inpaint": ("image", "mask_image", "strength"),
}
"""Tasks that start from a picture, and the arguments that say so."""
_KEPT = "_keep_in_fp32_modules"


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a component, in the terms of `Architecture`."""

    parameters: int
    linear: int
    kept: int
    upcast: int
    buffers: int


def check(record: ModelRecord) -> list[Finding]:
    """Everything that was looked at; a finding that is not ok says what does not fit."""
    findings = [*_classes(record), _licence(record), _ranges(record)]
    text = _kind(record, "text")
    if text is not None:
        findings += [_arguments(record, text), _callback(text), _construction(record, text)]
        for task in _PICTURES:
            if (kind := _kind(record, task)) is not None:
                findings += [_task_arguments(record, task, kind, text), _task_construction(task, kind, text)]
    return [*findings, *_sizes(record)]


def class_of(architecture: Architecture) -> Any:
    """The component's class."""
    return getattr(importlib.import_module(architecture.module or architecture.library), architecture.kind)


def build(architecture: Architecture, **changes: Any) -> torch.nn.Module:
    """The component with random weights and `changes` to its configuration, on torch's default device and in its
    default dtype. Raises what its class raises."""
    kind, config = class_of(architecture), architecture.config | changes
    built: torch.nn.Module = (
        kind(kind.config_class(**config)) if issubclass(kind, transformers.PreTrainedModel) else kind(**config)
    )
    return built


def count(model: torch.nn.Module) -> Counts:
    """Its numbers, and which of them the libraries would quantise."""
    parameters = {name: parameter.numel() for name, parameter in model.named_parameters()}
    named = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    linear = _linear(model)
    names = set(getattr(model, _KEPT, None) or ())
    return Counts(
        parameters=sum(parameters.values()),
        linear=sum(linear.values()),
        kept=sum(linear[name] for name in _kept(model, linear)),
        upcast=sum(size for name, size in parameters.items() if names & set(name.split("."))),
        buffers=sum(tensor.numel() for name, tensor in model.state_dict().items() if name not in named),
    )


def _linear(model: torch.nn.Module) -> dict[str, int]:
    """Layers that bitsandbytes can replace: name → weights. The libraries do not agree about which those are."""
    if isinstance(model, transformers.PreTrainedModel):
        found = {name: module for name, module in model.named_modules() if type(module) in (torch.nn.Linear, Conv1D)}
    else:
        found = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return {name: module.weight.numel() for name, module in found.items()}


def _kept(model: torch.nn.Module, linear: dict[str, int]) -> Iterator[str]:
    """Linear layers that the installed library leaves as they are."""
    names = list(getattr(model, _KEPT, None) or ())
    if isinstance(model, transformers.PreTrainedModel):
        skipped = [*get_keys_to_not_convert(model), *names]
        return (name for name in linear if not should_convert_module(name, skipped))
    names += UNFIT.get(type(model).__name__, ())
    return (name for name in linear if set(names) & set(name.split(".")))


def _classes(record: ModelRecord) -> Iterator[Finding]:
    for task, name in record.pipelines.items():
        found = isinstance(getattr(diffusers, name, None), type)
        yield _finding(f"{task} pipeline", name, [] if found else ["the installed diffusers does not have it"])


def _kind(record: ModelRecord, task: Task) -> Any:
    """The class of its pipeline for a task; None where there is none."""
    found = getattr(diffusers, record.pipelines.get(task, ""), None)
    return found if isinstance(found, type) else None


def _licence(record: ModelRecord) -> Finding:
    licence = record.licence
    gate = ", gated" if licence.gated else ""
    missing = [name for name in ("name", "url", "commercial") if not getattr(licence, name)]
    return _finding("licence", f"{licence.name}{gate}", [f"{name} is missing" for name in missing])


def _ranges(record: ModelRecord) -> Finding:
    size, (width, height) = record.size, record.size.native
    problems = [
        f"{name}: {rule.default} is not within {rule.min} to {rule.max}"
        for name, rule in (("steps", record.steps), ("guidance", record.guidance))
        if not rule.min <= rule.default <= rule.max
    ]
    problems += [f"{width} × {height} is not a size that it can make" for side in size.native if not size.fits(side)]
    problems += [f"{shape} is outside its limits" for shape in size.shapes if not all(map(size.fits, shape))]
    shown = f"{record.steps.default} steps, guidance {record.guidance.default:g}, {width} × {height}"
    return _finding("defaults", shown, problems)


def _arguments(record: ModelRecord, kind: Any) -> Finding:
    taken = inspect.signature(kind.__call__).parameters
    named = [record.steps.argument, record.guidance.argument, "prompt", "width", "height", "generator"]
    named += [*record.arguments, *(["negative_prompt"] if record.negative_prompt else [])]
    missing = [name for name in dict.fromkeys(named) if name not in taken]
    return _finding("arguments", ", ".join(dict.fromkeys(named)), [f"{name} is not taken" for name in missing])


def _task_arguments(record: ModelRecord, task: Task, kind: Any, text: Any) -> Finding:
    """Whether it takes its pictures, and all that the one for words takes but the size, which a picture has."""
    taken, usual = inspect.signature(kind.__call__).parameters, inspect.signature(text.__call__).parameters
    named = [*_PICTURES[task], record.steps.argument, record.guidance.argument, "prompt", "generator"]
    named += [*record.arguments, *(["negative_prompt"] if record.negative_prompt else [])]
    named = list(dict.fromkeys(named))
    lacking = [name for name in named if name not in taken and name in {*usual, *_PICTURES[task]}]
    problems = [f"{name} is not taken" for name in lacking]
    problems += [] if _MODERN in taken or _LEGACY in taken else ["it has no callback between steps"]
    return _finding(f"{task} arguments", ", ".join(named), problems)


def _task_construction(task: Task, kind: Any, text: Any) -> Finding:
    """Whether it can be made of what the pipeline for words holds."""
    held = inspect.signature(text.__init__).parameters
    needed = [
        name for name, value in inspect.signature(kind.__init__).parameters.items() if value.default is value.empty
    ]
    lacking = [name for name in needed if name not in {"self", *held, *kind._optional_components}]
    return _finding(f"{task} components", "shared", [f"{name} is not in {text.__name__}" for name in lacking])


def _callback(kind: Any) -> Finding:
    taken = inspect.signature(kind.__call__).parameters
    found = [name for name in (f"prior_{_MODERN}", _MODERN, _LEGACY) if name in taken]
    return _finding("progress", ", ".join(found), [] if found else ["it has no callback between steps"])


def _construction(record: ModelRecord, kind: Any) -> Finding:
    """Whether the pipeline is made of the components of the record."""
    taken = inspect.signature(kind.__init__).parameters
    named = {*record.components, *record.load_arguments}
    problems = [f"{name} is not taken" for name in sorted(named - set(taken))]
    if record.components:
        needed = {name for name, value in taken.items() if value.default is value.empty} - {"self"}
        models = {name for name in needed if not any(word in name for word in _NOT_MODELS)}
        absent = models - set(record.components) - set(kind._optional_components)
        problems += [f"the record lacks {name}" for name in sorted(absent)]
    elsewhere = {*record.nf4, *record.dtypes} - set(record.components)
    problems += [f"{name} is not a component of the record" for name in sorted(elsewhere) if record.components]
    unused = [key for key in record.parts if not any(name.startswith(key) for name in record.components)]
    problems += [f"no component comes from {record.parts[key]}" for key in unused if record.components]
    return _finding("components", ", ".join(record.components) or "not known", problems)


def _sizes(record: ModelRecord) -> Iterator[Finding]:
    for name, key in record.components.items():
        architecture = ARCHITECTURES[key]
        expected = Counts(**{field: getattr(architecture, field) for field in Counts.__slots__})
        try:
            with torch.device("meta"):  # shapes without weights
                counted = count(build(architecture))
        except Exception as error:  # whatever the class raises: the configuration does not fit it
            yield _finding(name, "", [f"{architecture.kind} cannot be built: {error}"])
            continue
        differing = [field for field in Counts.__slots__ if getattr(counted, field) != getattr(expected, field)]
        yield _finding(
            name,
            f"{architecture.kind}, {counted.parameters:,} parameters, {counted.linear / counted.parameters:.0%} linear",
            [f"{field} is {getattr(counted, field):_}, not {getattr(expected, field):_}" for field in differing],
        )


def _finding(name: str, shown: str, problems: list[str]) -> Finding:
    return Finding(name=name, ok=not problems, finding="; ".join([shown, *problems]) if shown else "; ".join(problems))


def main(arguments: list[str]) -> int:
    """Check the models that `arguments` name; 0 when all is well, 1 when not, 2 for an unknown name."""
    names = [argument for argument in arguments if argument != "--json"]
    settings = Settings()
    try:
        registry = Registry.read(settings.models_file, settings.weights)
        records = [registry.find(name) for name in names] or list(registry.records)
    except DarkroomError as error:
        sys.stderr.write(f"{error.info.message} {error.info.remedy}\n")
        return 2
    found = {record.id: check(record) for record in records}
    if "--json" in arguments:
        plain = {model: [one.model_dump(mode="json") for one in several] for model, several in found.items()}
        sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    else:
        for model, several in found.items():
            lines = [f"  {'ok' if one.ok else 'NO'}  {one.name}: {one.finding}" for one in several]
            sys.stdout.write("\n".join([model, *lines, ""]))
    return int(any(one.ok is False for several in found.values() for one in several))


if __name__ == "__main__":
    hush()
    sys.exit(main(sys.argv[1:]))
