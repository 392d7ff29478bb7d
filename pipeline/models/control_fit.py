"""What a ControlNet in a folder is, and whether it fits a model: told from configurations and headers, before anything
is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InvalidRequest
from pipeline.models.files import hub
from pipeline.models.files.selection import weights_among
from pipeline.models.header import read_header

if TYPE_CHECKING:
    from pipeline.models.controlnets import ControlFamily
    from pipeline.models.registry import ModelRecord

CONFIG = "config.json"
_FIELD = "controls"


@dataclass(frozen=True, slots=True)
class Net:
    """A net's files."""

    name: str
    folder: Path
    variant: str
    """Of the weights that are there."""
    files: tuple[str, ...]
    """Names of those in `folder` that have the weights."""
    config: dict[str, Any]

    def check(self, record: ModelRecord, family: ControlFamily) -> None:
        """Raise `InvalidRequest` when the net does not fit the model of `record`, whose nets are those of `family`.

        While the model's files are not here, only the kind of net is looked at.
        """
        if reason := self._unfit(record, family):
            raise InvalidRequest(f"The ControlNet “{self.name}” {reason}.", "Choose another one.", field=_FIELD)

    def _unfit(self, record: ModelRecord, family: ControlFamily) -> str:
        kind, denoiser = self.config.get("_class_name"), denoiser_config(record, family)
        if kind != family.net:
            return f"is a {kind}, and {record.name} takes a {family.net}"
        for entry, meaning in family.unfit.items():
            if self.config.get(entry):
                return meaning
        for entry in family.agree:
            own, other = self.config.get(entry), denoiser.get(entry)
            if own is not None and other is not None and own != other:
                return f"does not fit {record.name}: its {entry} is {_shown(own)}, and the model's is {_shown(other)}"
        return ""


def read_net(folder: Path, name: str, variant: str = "") -> Net:
    """The net in a diffusers folder, with weights of `variant` if they are there. Its tensors are not read.

    Raises `InvalidRequest` when `config.json` or whole safetensors weights are missing.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        names = [file.name for file in folder.iterdir()]
    except (OSError, ValueError):
        raise _broken(name, f"has no readable {CONFIG} in {folder}") from None
    found = weights_among(names, variant)
    if found is None or not isinstance(config, dict):
        raise _broken(name, f"has no .safetensors weights in {folder} (other formats are not opened)")
    files = tuple(file for file in found.files if file.endswith(".safetensors"))
    for file in files:
        _check_header(folder / file, name)
    return Net(name, folder, found.variant, files, config)


def denoiser_config(record: ModelRecord, family: ControlFamily) -> dict[str, Any]:
    """The configuration of the model's UNet or transformer; empty while its files are not here."""
    places = hub.places(record)
    for key in (family.denoiser, hub.CONFIG, ""):
        if (folder := places.get(key)) is None:
            continue
        try:
            return dict(json.loads((folder / family.denoiser / CONFIG).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return {}


def _check_header(file: Path, name: str) -> None:
    try:
        read_header(file)
    except (OSError, ValueError) as error:
        raise _broken(name, f"cannot be read: {file.name} is damaged ({error})") from None


def _broken(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The ControlNet “{name}” {what}.", "Fetch it again, or choose another one.", field=_FIELD)


def _shown(value: Any) -> str:
    """A value of a configuration, as people read it."""
    return " × ".join(map(str, value)) if isinstance(value, list) else str(value)
