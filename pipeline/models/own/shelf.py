"""A person's own weight files, in one folder: `checkpoints/`, `loras/` and `vae/`, which are ComfyUI's names for them,
and `upscalers/`.

A file's name is its path within its folder without the ending, such as `style/ink`. Requests only ever name what a
listing found, so no name leads out of the folder. Links are followed, wherever they lead: whoever can put a link into
the folder can put the file there as well, and people share weights between programs that way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pipeline.errors import InvalidRequest, NotFound
from pipeline.models.files.selection import INDEX
from pipeline.models.header import read_header
from pipeline.models.own.identify import FileKind, an, identify
from pipeline.models.own.templates import ENDING, PICKLE_REASON, PICKLED, of_file, of_folder
from pipeline.models.registry import ModelRecord

Wanted = Literal["checkpoint", "lora", "vae", "upscaler"]
FOLDERS: dict[Wanted, str] = {"checkpoint": "checkpoints", "lora": "loras", "vae": "vae", "upscaler": "upscalers"}
_CALLED: dict[Wanted, str] = {"checkpoint": "checkpoint", "lora": "LoRA", "vae": "VAE", "upscaler": "upscaler"}


class Named(Protocol):
    """Something in a listing."""

    @property
    def name(self) -> str: ...


Listed = TypeVar("Listed", bound=Named)

_kinds: dict[tuple[str, int, int], FileKind] = {}
"""Path, time of change and size → what the file is, so that a page does not read headers again."""


@dataclass(frozen=True, slots=True)
class ShelfFile:
    """One file that was found, usable or not."""

    name: str
    path: Path
    kind: FileKind
    bytes: int

    @property
    def refusal(self) -> str:
        """Why it cannot be used, as a clause that follows its name; empty when it can."""
        return self.kind.refusal


class Shelf:
    """The weight files below `folder`, which need not exist. Reads the disk anew each time it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoints(self) -> list[ShelfFile]:
        """Single-file checkpoints and diffusers folders, by name; files that cannot be used too, with the reason."""
        return self._files("checkpoint")

    def loras(self) -> list[ShelfFile]:
        """LoRAs, by name; files that cannot be used too, with the reason."""
        return self._files("lora")

    def vaes(self) -> list[ShelfFile]:
        """VAEs, by name; a diffusers folder counts as one. Files that cannot be used too, with the reason."""
        return self._files("vae")

    def upscalers(self) -> list[ShelfFile]:
        """Networks that make pictures larger, by name; files that cannot be used too, with the reason."""
        return self._files("upscaler")

    def lora(self, name: str) -> ShelfFile:
        """The LoRA with that name. Raises `NotFound`, or `InvalidRequest` for a file that cannot be used."""
        return self._find("lora", name, "loras")

    def vae(self, name: str) -> ShelfFile:
        """The VAE with that name. Raises `NotFound`, or `InvalidRequest` for a file that cannot be used."""
        return self._find("vae", name, "vae")

    def _files(self, wanted: Wanted) -> list[ShelfFile]:
        root = self.folder / FOLDERS[wanted]
        skip = INDEX if wanted == "checkpoint" else None
        return sorted((_file(path, root, wanted) for path in _walk(root, skip)), key=lambda file: file.name.lower())

    def _find(self, wanted: Wanted, name: str, field: str) -> ShelfFile:
        found = named(self._files(wanted), name)
        if len(found) == 1:
            if found[0].refusal:
                raise InvalidRequest(f"“{name}” {found[0].refusal}.", "Choose another file.", field=field)
            return found[0]
        names = ", ".join(file.name for file in (found or self._files(wanted)) if not file.refusal)
        where = self.folder / FOLDERS[wanted]
        remedy = f"Choose one of: {names}." if names else f"Put .safetensors files into {where}."
        what = "can mean several files" if found else "is not there"
        raise NotFound(f"The {_CALLED[wanted]} “{name}” {what}.", remedy, field=field)


def records(folder: Path, known: Sequence[ModelRecord]) -> list[ModelRecord]:
    """A record for every usable file and diffusers folder in `folder/checkpoints`, made from the record of the same
    family among `known`. What cannot be used is left out; `Shelf.checkpoints` has the reason."""
    taken = {record.id.lower() for record in known}
    found: dict[str, ModelRecord] = {}
    for record in _records(folder / FOLDERS["checkpoint"], known):
        own = f"local/{record.id}" if record.id.lower() in taken else record.id
        found.setdefault(own.lower(), record.model_copy(update={"id": own}))
    return list(found.values())


def _records(root: Path, known: Sequence[ModelRecord]) -> Iterator[ModelRecord]:
    for path in sorted(_walk(root, INDEX)):
        name = _name(path, root)
        try:
            yield of_folder(path.parent, name, known) if path.name == INDEX else of_file(path, name, known)
        except (InvalidRequest, OSError):
            continue


def _walk(root: Path, index: str | None) -> Iterator[Path]:
    """Weight files below `root`, and of a folder that has the file `index` only that file."""
    seen: set[str] = set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        if index in names:
            folders.clear()
            yield Path(place) / index
            continue
        yield from (
            Path(place) / name for name in names if name.lower().endswith((ENDING, *PICKLED)) and name[0] != "."
        )


def _file(path: Path, root: Path, wanted: Wanted) -> ShelfFile:
    try:
        facts = path.stat()
        key = (str(path), facts.st_mtime_ns, facts.st_size)
        if key not in _kinds:
            _kinds[key] = _look(path)
        kind, size = _kinds[key], facts.st_size
    except OSError as error:
        kind, size = FileKind("unknown", refusal=f"cannot be read ({error.strerror or error})"), 0
    if not kind.refusal and kind.kind != wanted:
        kind = replace(kind, refusal=f"is {an(kind.kind)}, not {an(_CALLED[wanted])}")
    return ShelfFile(_name(path, root), path, kind, size)


def _look(path: Path) -> FileKind:
    if path.name == INDEX:
        return FileKind("checkpoint")
    if path.suffix.lower() in PICKLED:
        return FileKind("unknown", refusal=PICKLE_REASON)
    try:
        return identify(read_header(path))
    except ValueError as error:
        return FileKind("unknown", refusal=f"cannot be read: {error}")


def _name(path: Path, root: Path) -> str:
    """A file's name; that of its folder for a checkpoint or VAE in diffusers' layout, and with its ending for one
    that is not opened, which may stand beside its safetensors twin."""
    inside = path.relative_to(root)
    whole = path.name == INDEX or (path.stem == "diffusion_pytorch_model" and (path.parent / "config.json").is_file())
    if whole and inside.parent.parts:
        return inside.parent.as_posix()
    return inside.with_suffix("").as_posix() if path.suffix.lower() == ENDING else inside.as_posix()


def named(files: Sequence[Listed], name: str) -> list[Listed]:
    """Those called `name`, or, if there are none, those whose last part is `name`. Case does not matter."""
    wanted = name.strip().lower()
    exact = [file for file in files if file.name.lower() == wanted]
    return exact or [file for file in files if file.name.lower().rsplit("/", 1)[-1] == wanted]
