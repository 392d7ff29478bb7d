"""ControlNets: which families take them, which nets there are, and which a model can be given.

    nets = ControlNets.read(settings.weights)
    nets.fitting(record)                 those that a page can offer for a model
    nets.check(record, request)          at the door: refused with a sentence, before anything is loaded

What `controlnets.toml` says holds for every net of a family; what is in a net's own files, `control_fit` reads.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt

from pipeline.errors import InvalidRequest, ModelUnavailable, NotFound
from pipeline.inputs import ControlUse, Task
from pipeline.models.control_fit import CONFIG, Net, read_net
from pipeline.models.facts import Facts
from pipeline.models.files.hub import snapshot
from pipeline.models.registry import ROOT, Licence, ModelRecord
from pipeline.request import GenerationRequest

FOLDER = "controlnet"
"""Where a person's own nets lie in the weights folder, each in a diffusers folder; ComfyUI's name for it."""
Map = Literal["canny", "depth", "pose"]
"""What a net follows: edges as white lines, depth as brightness (near is bright), or OpenPose's coloured limbs."""
_FIELD = "controls"


class ControlFamily(Facts):
    """How the models of a family are given nets."""

    net: str
    """Class of its nets in diffusers."""
    tell: dict[str, int] = {}
    """Entries of a net's configuration by which families are told apart whose nets have one class."""
    agree: tuple[str, ...]
    """Entries in which a net and the model's denoiser must agree, so that the one's outputs fit the other."""
    unfit: dict[str, str] = {}
    """Entries that no net of ours may have set, and what they mean, as a clause."""
    denoiser: Literal["unet", "transformer"]
    pipelines: dict[Task, str]
    """Diffusers pipeline class for each task that goes with a map."""
    several: bool = True
    """Whether several nets can take part at once."""
    timed: bool = True
    """Whether a net can begin later than the first step, or end earlier than the last."""


class ControlNetRecord(Facts):
    """One net."""

    id: str
    name: str
    maps: tuple[Map, ...] = ()
    """What it was trained to follow; empty when nobody has said."""
    family: str
    """The family of models that it is for; empty when its files do not tell."""
    models: tuple[str, ...] = ()
    """The only models that it was trained for; empty when it does for all of its family."""
    source: str
    """A hub repository (`owner/name`), or a folder: absolute, or relative to the checkout."""
    variant: str = ""
    """Variant of the weights that is fetched, such as `fp16`."""
    licence: Licence | None = None
    """None for a person's own."""
    download_bytes: NonNegativeInt = 0
    """0 for what is here already, and where it is not known."""
    evidence: str = ""
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> Path | None:
        """The folder with its files on this disk: its own, or the hub's cache; None while they are not here."""
        folder = ROOT / self.source if (ROOT / self.source).is_dir() else snapshot(self.source)
        return folder if folder is not None and (folder / CONFIG).is_file() else None

    @property
    def weight_bytes(self) -> int:
        """Of its weights: those on this disk, or, while they are not here, the download."""
        try:
            net = net_in(self)
        except (InvalidRequest, ModelUnavailable):
            return self.download_bytes
        return sum((net.folder / name).stat().st_size for name in net.files)


class _Table(Facts):
    families: dict[str, ControlFamily]
    net: tuple[ControlNetRecord, ...]


_TABLE = _Table.model_validate(tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")))
FAMILIES = _TABLE.families


class ControlNets:
    """The known nets, found by id."""

    def __init__(self, records: Iterable[ControlNetRecord]) -> None:
        self.records = tuple(records)

    @classmethod
    def read(cls, weights: Path | None = None) -> ControlNets:
        """The nets that Darkroom knows, and those in the folder `controlnet` of `weights`. What cannot be used there
        is left out."""
        return cls((*_TABLE.net, *(_own(weights / FOLDER) if weights is not None else ())))

    def find(self, name: str) -> ControlNetRecord:
        """The net with that id, in whatever case. Raises `NotFound`."""
        for record in self.records:
            if record.id.lower() == name.strip().lower():
                return record
        names = ", ".join(record.id for record in self.records)
        raise NotFound(f"There is no ControlNet named “{name}”.", f"Known: {names}.", field=_FIELD)

    def fitting(self, record: ModelRecord) -> list[ControlNetRecord]:
        """The nets that were made for the model, or may have been, whether their files are here or not."""
        return [net for net in self.records if record.family in FAMILIES and not _made_for_others(net, record)]

    def check(self, record: ModelRecord, request: GenerationRequest) -> None:
        """Raise for maps that the model cannot follow: `InvalidRequest`, `NotFound` for an unknown net, and
        `ModelUnavailable` for one whose files are not here."""
        if not request.controls:
            return
        family = family_for(record, request.task, len(request.controls))
        for use in request.controls:
            self._check_use(record, family, use)

    def bytes(self, request: GenerationRequest) -> int:
        """Of the weights of the nets of `request`. Raises `NotFound` for an unknown one."""
        return sum(self.find(use.net).weight_bytes for use in request.controls)

    def _check_use(self, record: ModelRecord, family: ControlFamily, use: ControlUse) -> None:
        net = self.find(use.net)
        if reason := _made_for_others(net, record):
            raise InvalidRequest(f"“{net.id}” {reason}.", self._remedy(record), field=_FIELD)
        if not family.timed and (use.start, use.end) != (0.0, 1.0):
            message = f"{record.name} follows a map in all its steps or not at all."
            raise InvalidRequest(message, "Let it begin at 0 and end at 1.", field=_FIELD)
        net_in(net).check(record, family)

    def _remedy(self, record: ModelRecord) -> str:
        names = ", ".join(net.id for net in self.fitting(record))
        return f"For {record.name} there are: {names}." if names else "Choose another model."


def net_in(net: ControlNetRecord) -> Net:
    """The net's files on this disk. Raises `ModelUnavailable` when they are not here, and what `read_net` raises."""
    folder = net.place
    if folder is None:
        raise ModelUnavailable(
            f"The ControlNet {net.id} is not on this computer.",
            f"Fetch it with `hf download {net.source} {CONFIG} {_weights(net)}`, or choose another.",
            field=_FIELD,
        )
    return read_net(folder, net.id, net.variant)


def family_for(record: ModelRecord, task: Task, count: int) -> ControlFamily:
    """How the model is given `count` nets for that task. Raises `InvalidRequest` when it cannot be."""
    if reason := why_no_controls(record, task):
        raise InvalidRequest(reason, "Leave out the map, or choose another model.", field=_FIELD)
    family = FAMILIES[record.family]
    if count > 1 and not family.several:
        raise InvalidRequest(f"{record.name} follows one map at a time.", "Leave out the others.", field=_FIELD)
    return family


def why_no_controls(record: ModelRecord, task: Task) -> str:
    """Why the model can follow no map in that task, as a sentence; empty when it can."""
    family = FAMILIES.get(record.family)
    if family is None:
        return f"{record.name} cannot follow a map: diffusers has no ControlNet pipeline for its family."
    if task not in family.pipelines:
        return f"{record.name} follows a map only while it draws from words alone: diffusers has no other pipeline."
    return ""


def _made_for_others(net: ControlNetRecord, record: ModelRecord) -> str:
    """Why a net is not for a model, as a clause; empty when it is, or may be."""
    if net.family and net.family != record.family:
        return f"is for {net.family}, and {record.name} is {record.family}"
    if net.models and record.id not in net.models:
        return f"was made for {' and '.join(net.models)}, and not for {record.name}"
    return ""


def _weights(net: ControlNetRecord) -> str:
    return ".".join(["diffusion_pytorch_model", *([net.variant] if net.variant else []), "safetensors"])


def _own(root: Path) -> Iterable[ControlNetRecord]:
    """A record for every folder below `root` with a net that can be read; its name is its path there."""
    for config in sorted(root.rglob(CONFIG)):
        name = config.parent.relative_to(root).as_posix()
        try:
            found = read_net(config.parent, name)
        except InvalidRequest:
            continue
        if family := _told(found.config):
            yield ControlNetRecord(id=name, name=name, family=family[0], source=str(config.parent))


def _told(config: dict[str, Any]) -> tuple[str, ...]:
    """The family of a net by its class and what tells those apart that share one; an empty name when nothing does, and
    nothing for what is no net."""
    alike = {name: family for name, family in FAMILIES.items() if family.net == config.get("_class_name")}
    for name, family in alike.items():
        if all(config.get(entry) == value for entry, value in family.tell.items()):
            return (name,)
    return ("",) if alike else ()
