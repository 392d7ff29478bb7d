"""What is not as it was when a picture was made, in sentences: two recipes of the same wish side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.recipe import ComponentUse, FileUse, Recipe

UNNOTED = (
    "Nothing that recipes note has changed. Another processor, driver or number of threads rounds differently, too."
)


def changes(then: Recipe, now: Recipe) -> tuple[str, ...]:
    """A sentence for each circumstance that differs between the recipe of a picture and that of one made from it."""
    return (*_circumstances(then, now), *_components(then, now), *_files(then, now), *_versions(then, now))


def _circumstances(then: Recipe, now: Recipe) -> Iterator[str]:
    if then.image != now.image:
        yield "The picture that it was made from came out otherwise already."
    if then.model_revision != now.model_revision:
        before, after = (_short(recipe.model_revision) for recipe in (then, now))
        yield f"The weights of {then.model} are others: {before} then, {after} now."
    yield from _differs("It was computed on", then.device, now.device)
    yield from _differs("It was computed in", then.dtype, now.dtype)
    yield from _differs("Weights were held with quantisation", then.quantization, now.quantization)
    yield from _differs("Weights rested with offload", then.offload, now.offload)
    yield from _differs("The scheduler was", then.scheduler, now.scheduler)
    yield from _options("The scheduler's", then.scheduler_config, now.scheduler_config)
    yield from _options("The argument", then.arguments, now.arguments)
    if then.vae_tiling != now.vae_tiling:
        yield f"The picture {'was' if then.vae_tiling else 'was not'} decoded in tiles then."


def _short(revision: str) -> str:
    return revision.removeprefix("sha256:")[:10]


def _options(whose: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Those with other values; a later library may know some that an earlier one did not."""
    for name in sorted(then.keys() & now.keys()):
        yield from _differs(f"{whose} {name} was", then[name], now[name])
    if gone := sorted(then.keys() - now.keys()):
        yield f"{whose} {', '.join(gone)} had a value then and has none now."
    if new := sorted(now.keys() - then.keys()):
        yield f"{whose} {', '.join(new)} had no value then and has one now."


def _components(then: Recipe, now: Recipe) -> Iterator[str]:
    """Those that are held otherwise than the rest of the model. Recipes of old name none."""
    for name in sorted(then.components.keys() & now.components.keys()):
        before, after = (_held(recipe, name) for recipe in (then, now))
        yield from _differs(f"{name} was held in", before, after)


def _held(recipe: Recipe, name: str) -> str:
    use: ComponentUse = recipe.components[name]
    if use.quantization == "none":
        return "its usual precision" if use.dtype == recipe.dtype else use.dtype
    return "its usual precision" if use.quantization == recipe.quantization else use.quantization


def _files(then: Recipe, now: Recipe) -> Iterator[str]:
    pairs = (
        ("LoRA", then.loras, now.loras),
        ("VAE", _one(then.vae), _one(now.vae)),
        ("upscaler", _one(then.upscaler), _one(now.upscaler)),
        ("LoRA for enlarged pictures", _one(then.detail), _one(now.detail)),
    )
    for kind, before, after in pairs:
        yield from (f"The {kind} {name} is another file than then." for name in _other(before, after))
    nets = {use.net: use.sha256 for use in now.controls}
    yield from (
        f"The ControlNet {use.net} has other weights than then."
        for use in then.controls
        if use.sha256 != nets.get(use.net)
    )


def _one(use: FileUse | None) -> tuple[FileUse, ...]:
    return () if use is None else (use,)


def _other(then: Sequence[FileUse], now: Sequence[FileUse]) -> Iterator[str]:
    hashes = {use.name: use.sha256 for use in now}
    return (use.name for use in then if use.sha256 != hashes.get(use.name))


def _versions(then: Recipe, now: Recipe) -> Iterator[str]:
    """Of the packages that the recipe names; what is new beside them took no part in the picture then."""
    for name, version in then.versions.items():
        if name not in now.versions:
            yield f"{name} was {version} and is not installed now."
        elif version != now.versions[name]:
            yield f"{name} was {version} and is {now.versions[name]} now."


def _differs(said: str, then: object, now: object) -> Iterator[str]:
    """Nothing for what is the same."""
    if then != now:
        yield f"{said} {then} then, {now} now."
