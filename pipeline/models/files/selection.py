"""Which files of a diffusers repository a pipeline needs, judged by names alone: the same on the hub and on this disk.

Of each component that `model_index.json` lists: its configuration, its vocabulary, and one set of safetensors weights.
Not: weights in other formats, a second precision of the same weights, a checkpoint in one file at the root, code,
pictures, or folders that no component has.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

INDEX = "model_index.json"
Components = dict[str, tuple[str, str]]
"""Component name → library and class, as `model_index.json` names them."""

_SMALL = {".json", ".txt", ".model", ".jinja", ".tiktoken"}
"""Endings of configurations and vocabularies."""
_VOCABULARIES = re.compile(r"tokenizer\.json|vocab\.(json|txt)|.+\.(model|tiktoken)")
_CONFIGURED_BY_FILES = ("Tokenizer", "Scheduler", "Processor", "FeatureExtractor")
"""Classes with these words in their names have no weights."""
_OTHER_FORMATS = {".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5", ".onnx"}
_PRECISIONS = ("", "fp16", "bf16")
"""Variants that may stand in for one that is not there. Others, such as `non_ema`, are other weights."""

_WEIGHTS = re.compile(
    r"(?P<base>diffusion_pytorch_model|model)(?:\.(?P<early>[^.]+?))?"
    r"(?:-(?P<shard>\d+)-of-(?P<shards>\d+))?(?:\.(?P<late>[^.]+))?\.safetensors"
)
"""Names that diffusers and transformers give to weights; the variant stood behind the shard once, and before it now."""
_SHARD_INDEX = re.compile(
    r"(?P<base>diffusion_pytorch_model|model)\.(?:(?P<early>[^.]+)\.)?safetensors\.index\.(?:(?P<late>[^.]+)\.)?json"
)


@dataclass(frozen=True, slots=True)
class Weights:
    """One complete set of safetensors files of a component."""

    files: tuple[str, ...]
    """Names in the component's folder, with the index of the shards if there are several."""
    variant: str


def components_in(index: Mapping[str, object]) -> Components:
    """What a `model_index.json` lists, without the components that are deliberately absent.

    Their names become paths, so that only names of Python's kind count.
    """
    pairs = {name: value for name, value in index.items() if isinstance(value, list) and len(value) == 2}
    whole = {name: (str(library), str(kind)) for name, (library, kind) in pairs.items() if library and kind}
    return {name: value for name, value in whole.items() if name.isidentifier()}


def taken_from(source: str, listed: Components, prefixes: Collection[str]) -> Components:
    """Of the components that a source's index has, those that a pipeline takes from there.

    `source` is the source's key: "" for the checkpoint's own, or one of `prefixes`, the keys of `ModelRecord.parts`. A
    key that is a component's whole name means just that one, and what another source gives is not taken twice.
    """
    if source in listed:
        return {source: listed[source]}
    if source:
        return listed
    return {name: value for name, value in listed.items() if not name.startswith(tuple(prefixes))}


def has_weights(kind: str) -> bool:
    """Whether a component of class `kind` is a model; the others are configuration and vocabulary."""
    return not any(word in kind for word in _CONFIGURED_BY_FILES)


def weights_among(names: Iterable[str], variant: str) -> Weights | None:
    """The weights to load from a component's folder that holds `names`: of `variant` if they are there, else without
    a variant, else of a half-precision one; None when there is no complete set of safetensors."""
    names = set(names)
    whole: dict[str, tuple[str, ...]] = {}
    shards: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for name in sorted(names):
        if (match := _WEIGHTS.fullmatch(name)) is None:
            continue
        found = match["early"] or match["late"] or ""
        if match["shard"] is None:
            whole.setdefault(found, (name,))
        else:
            shards[found, match["base"], int(match["shards"])].append(name)
    for (found, base, count), files in shards.items():
        index = next((name for name in sorted(names) if _index_of(name) == (base, found)), None)
        if index is not None and len(files) == count:
            whole.setdefault(found, (*files, index))
    wanted = next((choice for choice in (variant, *_PRECISIONS) if choice in whole), None)
    return None if wanted is None else Weights(whole[wanted], wanted)


def variant_in(folder: Path, variant: str) -> str:
    """The variant of the weights to load from a component's `folder` when `variant` is wished for."""
    found = weights_among(_names(folder), variant)
    return found.variant if found else variant


def chosen(
    paths: Iterable[str], components: Components, variant: str, *, weights: bool = True, strict: bool = True
) -> list[str]:
    """The needed ones of a repository's `paths`, the small ones first. Without `weights` only configuration.

    Raises `LookupError`, with a sentence's end about the repository, when it has no safetensors for a component;
    not so if not `strict`.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    root: list[str] = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        (folders[folder] if folder else root).append(name)
    small, large = [name for name in root if name == INDEX], []
    for component, (_, kind) in components.items():
        names = folders[component]
        small += [f"{component}/{name}" for name in sorted(names) if _is_small(name)]
        if weights and has_weights(kind):
            found = weights_among(names, variant)
            if found is None and strict:
                raise LookupError(_why_no_weights(component, names))
            large += [f"{component}/{name}" for name in (found.files if found else ())]
    return small + large


def listed_in(folder: Path, source: str = "") -> Components:
    """The components that the checkpoint in `folder` holds, by its `model_index.json`.

    A repository of one component has none; then `source`, its key, is that component's name (`taken_from`), and its
    class stands in its configuration. Raises `FileNotFoundError` when there is neither, and `ValueError` for a file
    that cannot be read.
    """
    if not (folder / INDEX).is_file() and (folder / source / "config.json").is_file() and source:
        config = json.loads((folder / source / "config.json").read_text(encoding="utf-8"))
        return {source: ("diffusers", str(config.get("_class_name")))}
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    if not isinstance(index, dict):
        raise ValueError(f"{INDEX} is not a table")
    return components_in(index)


def lacking(
    folder: Path, taken: Callable[[Components], Components], *, source: str = "", weights: bool = True
) -> str | None:
    """The first thing that a pipeline in `folder` lacks, as a path in it; None when it is complete.

    `taken` picks the components that are needed; `source` as in `listed_in`. Looks at names only, and so takes well
    under a millisecond: whether files are sound is `stored.verify`'s matter.
    """
    try:
        components = taken(listed_in(folder, source))
    except (OSError, ValueError):
        return INDEX
    return next(_lacks(folder, components, weights=weights), None)


def _lacks(folder: Path, components: Components, *, weights: bool) -> Iterator[str]:
    for component, (_, kind) in components.items():
        names = _names(folder / component)
        if not any(name.endswith(".json") for name in names):
            yield f"{component}/ (its configuration)"
        elif "Tokenizer" in kind and not any(_VOCABULARIES.fullmatch(name) for name in names):
            yield f"{component}/ (its vocabulary)"
        elif weights and has_weights(kind) and weights_among(names, "") is None:
            yield f"{component}/ (its weights)"


def _why_no_weights(component: str, names: list[str]) -> str:
    others = sorted(name for name in names if Path(name).suffix in _OTHER_FORMATS)
    only = f", only {others[0]}, a format that can carry code and is not opened" if others else ""
    return f"has no .safetensors weights for “{component}”{only}"


def _index_of(name: str) -> tuple[str, str] | None:
    """Base name and variant that an index of shards is for."""
    match = _SHARD_INDEX.fullmatch(name)
    return None if match is None else (match["base"], match["early"] or match["late"] or "")


def _is_small(name: str) -> bool:
    return Path(name).suffix in _SMALL and ".index." not in name


def _names(folder: Path) -> list[str]:
    """Names of the files in `folder`; links that lead nowhere do not count."""
    try:
        return [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError:
        return []
