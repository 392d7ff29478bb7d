"""Segmentation models: what finds the thing that is pointed at in a picture.

    chosen(settings.weights)             the one that is used, if any is on this computer

They look at pictures, not at what makes them, so one does for every model that repaints a part.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from pipeline.errors import ModelUnavailable
from pipeline.models.facts import Facts
from pipeline.models.files.hub import snapshot
from pipeline.models.registry import Licence

FOLDER = "sams"
"""Where a person's own lie in the weights folder, each in a folder as the hub has it; ComfyUI's name for it."""
CONFIG, WEIGHTS = "config.json", "model.safetensors"
Kind = Literal["sam", "sam2"]
_KINDS: dict[str, Kind] = {"sam": "sam", "sam2": "sam2", "sam2_video": "sam2"}
"""What configurations call themselves → what looks at single pictures with those weights."""


class SegmenterRecord(Facts):
    """One segmentation model of the hub."""

    id: str
    """Its repository, `owner/name`."""
    name: str
    licence: Licence
    download_bytes: PositiveInt
    evidence: str

    @property
    def place(self) -> Path | None:
        """The folder with its files in the hub's cache; None while they are not here."""
        folder = snapshot(self.id)
        return folder if folder is not None and _kind(folder) is not None else None

    @property
    def command(self) -> str:
        """What fetches it."""
        return f"hf download {self.id} {CONFIG} {WEIGHTS}"


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A segmentation model on this computer."""

    name: str
    """Its repository, or the name of its folder."""
    folder: Path
    kind: Kind


class _Table(Facts):
    segmenter: tuple[SegmenterRecord, ...]


RECORDS = _Table.model_validate(tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))).segmenter


def chosen(weights: Path) -> Segmenter:
    """The one that is used: the first of one's own in the folder `sams` of `weights`, else of `RECORDS`. Reads names
    and configurations alone. Raises `ModelUnavailable` when none is here."""
    places = {folder.name: folder for folder in sorted((weights / FOLDER).glob("*"))}
    places |= {record.id: record.place for record in RECORDS if record.place is not None}
    for name, folder in places.items():
        if kind := _kind(folder):
            return Segmenter(name, folder, kind)
    first = RECORDS[0]
    raise ModelUnavailable(
        "To select with a click takes a segmentation model, and none is on this computer.",
        f"Fetch {first.name} ({first.download_bytes / 1e6:.0f} MB, {first.licence.name}) with `{first.command}`.",
        field="points",
    )


def _kind(folder: Path) -> Kind | None:
    """What the folder holds, by its configuration; None for no segmentation model that is known here."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(config, dict) and (folder / WEIGHTS).is_file()
    return _KINDS.get(str(config.get("model_type"))) if whole else None
