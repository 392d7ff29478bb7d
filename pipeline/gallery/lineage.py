"""Where pictures come from: a recipe holds that of the picture before it, so the last of a chain holds them all."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import NotFound
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest

DEPTH = 8
"""Recipes before its own that a picture carries at most; each takes a few kilobytes."""

_REMEDY = "Bring it along once more, with “Start from a picture”."


def descended(recipe: Recipe, parent: Recipe) -> Recipe:
    """`recipe` of a picture that was made from the one of `parent`."""
    return recipe.model_copy(update={"origin": _shortened(parent, DEPTH - 1)})


def ancestors(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipes before `recipe`, the nearest first."""
    return () if recipe.origin is None else (recipe.origin, *ancestors(recipe.origin))


def to_make(recipe: Recipe, has: Callable[[str], bool]) -> tuple[Recipe, ...]:
    """The recipes whose pictures must be made so that the one of `recipe` can be, that one last. `has` tells which
    pictures are kept.

    Raises `NotFound` when one of them needs a picture that is not kept, and of which nothing tells how it was made, or
    that a provider made: a picture that may be charged for is not ordered unasked.
    """
    wanted = [recipe]
    while (first := wanted[0]).image is not None and not has(first.image):
        if first.origin is None:
            message = "The picture behind this one is not kept here, and nothing tells how it was made."
            raise NotFound(message, _REMEDY, field="image")
        if first.origin.hosted is not None:
            name = first.origin.hosted.provider
            message = (
                f"The picture behind this one is not kept here, and {name} made it: it is not ordered again unasked."
            )
            raise NotFound(message, _REMEDY, field="image")
        wanted.insert(0, first.origin)
    for one in wanted:
        if one.mask is not None and not has(one.mask):
            raise NotFound("The mask of a picture of this chain is not kept here.", _REMEDY, field="mask")
        if not all(has(use.image) for use in one.controls):
            raise NotFound("The map of a picture of this chain is not kept here.", _REMEDY, field="controls")
    return tuple(wanted)


def prepared(recipe: Recipe, has: Callable[[str], bool], make: Callable[[GenerationRequest], str]) -> GenerationRequest:
    """The request that makes the picture of `recipe` again. Those before it that are not kept are made first, by
    `make`, which gives the name of what it made. Raises as `to_make` and `make` do."""
    chain = to_make(recipe, has)
    image = chain[0].image
    for before in chain[:-1]:
        image = make(before.to_request(image=image))
    return recipe.to_request(image=image)


def _shortened(recipe: Recipe, depth: int) -> Recipe:
    if recipe.origin is None:
        return recipe
    return recipe.model_copy(update={"origin": _shortened(recipe.origin, depth - 1) if depth else None})
