"""Chains that somebody keeps under a name: one JSON file for each in `outputs/.darkroom/chains`.

A kept chain is a request without what is of one time only: its seeds, and the picture that it began with.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pipeline.errors import InvalidRequest, NotFound, OutputUnwritable
from pipeline.gallery import lineage
from pipeline.gallery.files import write_atomically
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest, Stage, parse_request

_NAME = re.compile(r"\w[\w ()+-]{0,59}")
_OF_ONE_TIME = (
    *("seed", "variation_seed", "variation_strength", "num_images"),
    *("image", "strength", "mask", "outpaint", "controls"),
)
_log = logging.getLogger(__name__)

Name = Annotated[str, StringConstraints(strip_whitespace=True)]


class Chain(BaseModel):
    """A request with more than one stage, under a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    request: GenerationRequest

    def begun_with(self, **fields: object) -> GenerationRequest:
        """The request with other words, seed or picture. Raises `InvalidRequest`."""
        return parse_request(**self.request.model_dump() | fields)


class Chains:
    """The kept chains of one outputs folder. Other processes may change them too, so each call looks anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Chain]:
        """By name. A file that cannot be read is passed over, and told in the log."""
        found = (self._read(path) for path in self._folder.glob("*.json"))
        return sorted((chain for chain in found if chain), key=lambda chain: chain.name.casefold())

    def find(self, name: str) -> Chain:
        """The chain of that name, in whatever case. Raises `NotFound`."""
        known = self.all()
        for chain in known:
            if chain.name.casefold() == name.strip().casefold():
                return chain
        names = ", ".join(chain.name for chain in known)
        raise NotFound(f"There is no chain named “{name[:60]}”.", f"Kept: {names}." if names else "None is kept yet.")

    def keep(self, name: str, request: GenerationRequest) -> Chain:
        """Keep what `request` does; one of the same name is replaced.

        Raises `InvalidRequest` for a name that no file can have and for a request of one stage, and `OutputUnwritable`.
        """
        if not _NAME.fullmatch(name.strip()):
            message = f"“{name[:60]}” cannot name a chain."
            raise InvalidRequest(message, "Take up to 60 letters, digits, spaces, hyphens.", field="name")
        if not request.then:
            message = "This makes one picture and hands it on to nothing."
            raise InvalidRequest(message, "Add a stage first.", field="then")
        kept = request.model_dump(exclude=set(_OF_ONE_TIME))
        chain = Chain(name=name, request=parse_request(**kept))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path(chain.name), chain.model_dump_json(indent=1).encode())
        except OSError as error:
            message = f"The chain cannot be kept in {self._folder}: {error.strerror or error}."
            raise OutputUnwritable(message, "Free some space at DARKROOM_OUTPUTS, or set it elsewhere.") from None
        return chain

    def remove(self, name: str) -> None:
        """Forget a chain; its pictures stay. Raises `NotFound`."""
        self._path(self.find(name).name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.casefold()}.json"

    def _read(self, path: Path) -> Chain | None:
        try:
            return Chain.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            _log.warning("The chain in %s cannot be read and is left out: %s", path, error)
            return None


def chain_of(recipe: Recipe) -> GenerationRequest:
    """The request that makes the picture of `recipe` and all before it as one chain.

    Raises `InvalidRequest` for a picture that was made of nothing, or where a part was painted over or added by hand,
    which no other picture can follow.
    """
    first, *later = reversed((recipe, *lineage.ancestors(recipe)))
    if first.image is not None or not later:
        message = "This picture was not made of another one of the studio."
        raise InvalidRequest(message, "Choose the last picture of a chain.", field="image")
    if any(one.mask or one.outpaint for one in later):
        message = "A part of it was painted over or added by hand, which is different for every picture."
        raise InvalidRequest(message, "Choose a picture that was made of whole ones.", field="image")
    return first.to_request(then=[_stage(one) for one in later])


def _stage(recipe: Recipe) -> dict[str, object]:
    fields = recipe.to_request().model_dump()
    return {name: fields[name] for name in Stage.model_fields}
