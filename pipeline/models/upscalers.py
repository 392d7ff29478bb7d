"""What can make a picture larger: Lanczos, the upscaler that comes with Darkroom, and those of one's own.

    upscaler = find_upscaler("darkroom-x4", shelf)

An upscaler is named by what the listing calls it; a name is looked up there and never opened as a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InvalidRequest, NotFound
from pipeline.models.own.shelf import FOLDERS, Shelf, ShelfFile, named
from pipeline.models.registry import ROOT


@dataclass(frozen=True, slots=True)
class Upscaler:
    """One way to make a picture larger, usable or not."""

    name: str
    sentence: str
    """What it is and does, for a person."""
    factor: int | None = None
    """How many times as large its network makes a picture; what another factor asks for is resized from that. None
    without a network."""
    path: Path | None = None
    """The safetensors file of its network; None for Lanczos."""
    refusal: str = ""
    """Why it cannot be used, as a clause that follows its name; empty when it can."""


LANCZOS = Upscaler("lanczos", "Resizes with a Lanczos filter: quick, invents nothing, and leaves edges soft.")
DARKROOM = Upscaler(
    "darkroom-x4",
    "Comes with Darkroom and was trained on the scenes of its demo model: sharp edges for drawings with plain areas.",
    factor=4,
    path=ROOT / "demo/upscaler/darkroom-x4.safetensors",
)
BUILT_IN = (LANCZOS, DARKROOM)


def upscalers(shelf: Shelf) -> list[Upscaler]:
    """All upscalers, those that come with Darkroom first; files that cannot be used too, with the reason."""
    return [*BUILT_IN, *map(_own, shelf.upscalers())]


def find_upscaler(name: str, shelf: Shelf) -> Upscaler:
    """The upscaler with that name. Raises `NotFound`, or `InvalidRequest` for a file that cannot be used."""
    known = upscalers(shelf)
    found = named(known, name)
    usable = ", ".join(one.name for one in (found if len(found) > 1 else known) if not one.refusal)
    if len(found) != 1:
        what = "can mean several files" if found else "is not there"
        raise NotFound(f"The upscaler “{name}” {what}.", f"Choose one of: {usable}.", field="upscale")
    if found[0].refusal:
        raise InvalidRequest(
            f"“{name}” {found[0].refusal}.",
            f"Choose one of: {usable}. Networks of the kinds Compact and ESRGAN can be added.",
            field="upscale",
        )
    return found[0]


def _own(file: ShelfFile) -> Upscaler:
    taken = {one.name for one in BUILT_IN}
    name = f"{FOLDERS['upscaler']}/{file.name}" if file.name.lower() in taken else file.name
    sentence = f"A network of your own ({file.kind.variant}) that makes pictures {file.kind.factor} times as large."
    factor = file.kind.factor or None
    return Upscaler(name, "" if file.refusal else sentence, factor, file.path, file.refusal)
