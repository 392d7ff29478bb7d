"""Checkpoints of a person's own: a record for a hub repository, a folder or a file, kept in `models.toml`.

record = from_hub("acme/my-finetune", registry.records)
append(settings.models_file, record)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from pipeline.errors import InvalidRequest, ModelUnavailable, UnknownModel
from pipeline.models.files.hub_errors import explained
from pipeline.models.files.selection import INDEX, chosen, components_in
from pipeline.models.own.records import extended, pieces, rewrite
from pipeline.models.own.templates import ENDING, of_file, of_folder, of_index
from pipeline.models.registry import Licence, ModelRecord, Registry

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def from_anything(source: str, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of a folder, a `.safetensors` file or, if there is neither by that name, a hub repository.

    Raises as `from_folder`, `from_file` and `from_hub`.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return from_folder(path, known)
    if path.is_file() or path.is_absolute():
        return from_file(path, known)
    return from_hub(source, known)


def from_hub(repository: str, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of a hub repository, `owner/name`, of a known family. Reads its list of files and the small
    configuration files that tell the family; stores nothing.

    Raises `InvalidRequest` for a family that is not known, and `ModelUnavailable` for what cannot be reached.
    """
    repository = repository.strip().removeprefix("https://huggingface.co/").rstrip("/")
    if not _REPOSITORY.fullmatch(repository):
        raise InvalidRequest(
            f"“{repository}” is not the name of a repository.",
            "Give owner/name. Folders and files are added in the shell: `python -m pipeline models add`.",
            field="source",
        )
    nobody = known[0].model_copy(update={"id": repository, "name": repository, "source": repository})
    with explained(nobody):
        info = HfApi().model_info(repository, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        files = {file.rfilename: file.size or 0 for file in info.siblings or []}
        if INDEX not in files:
            raise ModelUnavailable(
                f"{repository} on the hub is not a diffusers checkpoint: it has no {INDEX}.",
                "Choose a repository that has one, or download its .safetensors file and add that.",
                field="model",
            )
        index = _json(repository, info, INDEX)
        configs = {part: _json(repository, info, f"{part}/config.json") for part in _denoisers(index, files)}
    template = of_index(index, configs, repository, known)
    return _hub_record(repository, info, files, index, template)


def from_folder(folder: Path, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of a checkpoint in diffusers' layout on this disk. Raises `InvalidRequest` and `ModelUnavailable`."""
    folder = folder.expanduser().absolute()
    if not (folder / INDEX).is_file():
        raise ModelUnavailable(
            f"{folder} is not a diffusers checkpoint: it has no {INDEX}.",
            "Choose the folder that has it, or a single .safetensors file.",
            field="model",
        )
    return of_folder(folder, folder.name, known)


def from_file(path: Path, known: Sequence[ModelRecord]) -> ModelRecord:
    """The record of a single-file checkpoint. Raises `InvalidRequest` and `ModelUnavailable`."""
    path = path.expanduser().absolute()
    if not path.is_file():
        raise ModelUnavailable(f"There is no file {path}.", "Check the path.", field="model")
    return of_file(path, path.name.removesuffix(ENDING), known)


def append(models_file: Path, record: ModelRecord) -> None:
    """Add `record` to a `models.toml`, whose other records and comments stay as they are.

    Raises `InvalidRequest` when the file has a record with that id already, and `BadSettings` when it cannot be read
    or written.
    """
    table = tomli_w.dumps({"model": [record.model_dump(mode="json", exclude_defaults=True)]})

    def added(text: str) -> str:
        if record.id in _ids(text):
            raise InvalidRequest(f"{record.id} was added already.", "Remove it first to replace it.", field="model")
        return extended(text, table)

    rewrite(models_file, added, Registry.read)


def remove(models_file: Path, model_id: str) -> None:
    """Take the record `model_id` out of a `models.toml`; the weights and all else in the file stay.

    Raises `UnknownModel` when the file has no such record, and `BadSettings` as `append`.
    """

    def shortened(text: str) -> str:
        head, records = pieces(text)
        kept = [piece for piece in records if _ids(piece) != [model_id]]
        if len(kept) == len(records):
            raise UnknownModel(
                f"{model_id} is not among the models that were added.",
                "What ships with Darkroom stays; a file in the weights folder goes when it is deleted.",
                field="model",
            )
        return head + "".join(kept)

    rewrite(models_file, shortened, Registry.read)


def ids(models_file: Path) -> frozenset[str]:
    """The ids of the records in a `models.toml`; none when there is no such file."""
    return frozenset(_ids(models_file.read_text(encoding="utf-8"))) if models_file.exists() else frozenset()


def _ids(text: str) -> list[str]:
    return [str(record.get("id", "")) for record in tomllib.loads(text).get("model", [])]


def _denoisers(index: Mapping[str, Any], files: Mapping[str, int]) -> list[str]:
    """The components whose configuration tells siblings apart: SD 1.5 from 2.1, SD3 from SD3.5."""
    return [part for part in ("unet", "transformer", "decoder") if part in index and f"{part}/config.json" in files]


def _json(repository: str, info: ModelInfo, name: str) -> dict[str, Any]:
    """A small file of the hub, which is not stored: the cache is for checkpoints that are complete."""
    url = hf_hub_url(repository, name, revision=info.sha, endpoint=constants.ENDPOINT)
    answer = get_session().get(url, headers=build_hf_headers(), timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    hf_raise_for_status(answer)
    try:
        return dict(answer.json())
    except (ValueError, TypeError):
        reason = f"{repository} on the hub has an unreadable {name}."
        raise ModelUnavailable(reason, "Choose another repository.", field="model") from None


def _hub_record(
    repository: str, info: ModelInfo, files: Mapping[str, int], index: Mapping[str, Any], template: ModelRecord
) -> ModelRecord:
    try:
        needed = chosen(files, components_in(index), template.variant)
    except LookupError as reason:
        raise InvalidRequest(
            f"{repository} on the hub {reason}.", "Choose another repository.", field="model"
        ) from None
    return template.model_copy(
        update={
            "id": repository,
            "name": repository.rsplit("/", 1)[-1],
            "source": repository,
            "summary": f"A checkpoint of the {template.name} family.",
            "licence": _licence(repository, info),
            "download_bytes": sum(files[path] for path in needed),
            "evidence": f"Its own file list and model_index.json; everything else as {template.id}.",
        }
    )


def _licence(repository: str, info: ModelInfo) -> Licence:
    card = vars(info.card_data) if info.card_data else {}
    name = card.get("license_name") or card.get("license") or "not stated"
    link = str(card.get("license_link"))  # anybody's words, which pages make a link of
    url = link if link.startswith("https://") else f"https://huggingface.co/{repository}"
    return Licence(name=str(name), url=url, gated=bool(info.gated), commercial="see the licence")
