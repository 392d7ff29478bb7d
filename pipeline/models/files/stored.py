"""The files of a checkpoint that are on this disk: how much there is, whether they are sound, and their removal."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from huggingface_hub import scan_cache_dir
from pydantic import BaseModel, ConfigDict

from pipeline.errors import InvalidRequest, ModelUnavailable
from pipeline.models.files import hub
from pipeline.models.files.download import digest_of, size_of
from pipeline.models.files.selection import chosen, listed_in
from pipeline.models.header import read_header
from pipeline.models.registry import ModelRecord

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Inventory(BaseModel):
    """How much of a checkpoint is on this disk."""

    model_config = ConfigDict(frozen=True)

    here: bool
    """Whether it is complete."""
    bytes_here: int
    """With those of an interrupted download, which goes on from there."""
    bytes_total: int | None
    """None when only the hub knows."""


class Problem(BaseModel):
    """A file that is missing or damaged."""

    model_config = ConfigDict(frozen=True)

    file: str
    problem: str


def inventory(record: ModelRecord) -> Inventory:
    """What is here of `record`, told without the network, and quickly enough for drawing a page."""
    sources = hub.sources(record)
    here = all(source.lacks() is None for source in sources)
    found = sum(_bytes_here(source, record.variant) for source in sources)
    return Inventory(here=here, bytes_here=found, bytes_total=found if here else record.download_bytes or None)


def verify(record: ModelRecord, *, drop: bool = False) -> list[Problem]:
    """Read all files of `record` and name those that are missing or damaged; with `drop` remove damaged ones from the
    hub's cache, so that the next `fetch` brings them again. Takes a second or two for each gigabyte.

    Files from the hub are compared with the digests that the hub gave for them; of others, the weights' headers and
    the syntax of configurations are checked. Needs no network.
    """
    problems: list[Problem] = []
    for source in hub.sources(record):
        lacks, place = source.lacks(), source.place
        for file in _files(source, place, record.variant) if place else ():
            if (what := _fault(file)) is not None:
                dropped = drop and not source.is_local and _drop(file)
                problems.append(Problem(file=_name(source, file), problem=f"{what}; removed" if dropped else what))
        if lacks is not None:
            problems.append(Problem(file=lacks if source.is_local else f"{source.name}/{lacks}", problem="is missing"))
    return problems


def remove(record: ModelRecord, keep: Iterable[ModelRecord] = ()) -> int:
    """Delete the files of `record` from the hub's cache and return the bytes freed. Repositories that one of `keep`
    needs too stay. Raises `InvalidRequest` for a checkpoint in a folder of its own, `ModelUnavailable` when the cache
    is read-only."""
    sources = hub.sources(record)
    if sources[0].is_local:
        raise InvalidRequest(
            f"The files of {record.name} are not in the hub's cache, but in {sources[0].place or sources[0].name}.",
            "Delete them there, if nothing else needs them.",
            field="model",
        )
    kept = {source.name for other in keep for source in hub.sources(other)}
    return sum(_remove(source.name, record) for source in sources if not source.is_local and source.name not in kept)


def _remove(repository: str, record: ModelRecord) -> int:
    """Delete a repository from the cache, with what is left of interrupted downloads."""
    folder = hub.repository_folder(repository)
    if not folder.is_dir():
        return 0
    cache = scan_cache_dir(hub.cache_folder())
    commits = [
        revision.commit_hash
        for repo in cache.repos
        if repo.repo_path == folder.resolve()
        for revision in repo.revisions
    ]
    strategy = cache.delete_revisions(*commits)
    freed = strategy.expected_freed_size + sum(size_of(file) or 0 for file in folder.glob("blobs/*.incomplete"))
    strategy.execute()
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError:
        raise ModelUnavailable(
            f"The files of {record.name} cannot be deleted: the cache {hub.cache_folder()} is read-only.",
            "Delete them as the user who owns the cache.",
            field="model",
        ) from None
    shutil.rmtree(hub.cache_folder() / ".locks" / folder.name, ignore_errors=True)
    return freed


def _bytes_here(source: hub.Source, variant: str) -> int:
    place = source.place
    if place is not None and (source.is_local or source.lacks() is None):
        return sum(size_of(file) or 0 for file in _files(source, place, variant))
    return 0 if source.is_local else hub.begun_bytes(source.name)


def _files(source: hub.Source, place: Path, variant: str) -> Iterator[Path]:
    """The files at `place` that a pipeline reads, as far as they are there."""
    if place.is_file():
        yield place
        return
    try:
        components = source.taken(listed_in(place, source.key))
    except (OSError, ValueError):
        components = {}
    folders = [place, *(place / component for component in components)]
    paths = [file for folder in folders if folder.is_dir() for file in folder.iterdir() if file.is_file()]
    names = [file.relative_to(place).as_posix() for file in paths]
    for name in chosen(names, components, variant, weights=source.weights, strict=False):
        yield place / name


def _name(source: hub.Source, file: Path) -> str:
    """What to call a file that is at its source's place."""
    if source.place in {None, file}:
        return source.name
    return f"{source.name}/{file.relative_to(str(source.place)).as_posix()}"


def _fault(file: Path) -> str | None:
    """What is wrong with a file; None when it is sound."""
    digest = file.readlink().name if file.is_symlink() else ""
    try:
        if _DIGEST.fullmatch(digest):
            return None if digest_of(file, digest) == digest else "is damaged: its digest is not the one the hub gave"
        if file.suffix == ".safetensors":
            read_header(file)
        elif file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        return f"is damaged: {error}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _drop(file: Path) -> bool:
    """Remove a file of the cache with its content."""
    try:
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True
