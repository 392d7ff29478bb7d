"""Which schedulers a model can use, known from data before anything is loaded.

    of(record)      their class names, the model's own first
    label(name)     what people call one

The own one is what the checkpoint's files say; while they are not here, what its family usually has.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.models.facts import Facts
from pipeline.models.files import hub
from pipeline.models.files.selection import INDEX, components_in
from pipeline.models.sampling import check_scheduler

if TYPE_CHECKING:
    from pipeline.models.registry import ModelRecord

_CONFIG = Path("scheduler", "scheduler_config.json")


class _Family(Facts):
    """What the pipeline of a family can be given."""

    own: str
    """What its published checkpoints have."""
    config: dict[str, Any] = {}
    """And those of its settings that matter here."""
    group: str = ""
    """Those that solve the equation which the family was trained on; empty when there is only its own."""
    without: tuple[str, ...] = ()
    """Members of the group that its pipeline cannot work with."""
    shifted: tuple[str, ...] = ()
    """Those that only work while the checkpoint shifts its steps with the size of the picture."""


class _Table(Facts):
    labels: dict[str, str]
    groups: dict[str, tuple[str, ...]]
    knows: dict[str, tuple[str, ...]]
    own: dict[str, str]
    families: dict[str, _Family]


_TABLE = _Table.model_validate(tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")))


def of(record: ModelRecord) -> tuple[str, ...]:
    """The names of the scheduler classes that `record` can use, its own first; none where nothing is known."""
    found = _found(record) or _usual(record)
    return possible(record.family, *found) if found else ()


def possible(family: str, own: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes that can take the place of the scheduler `own` with the settings `config`; `own` is
    first, and alone where the checkpoint was trained otherwise than its family."""
    known = _TABLE.families.get(family)
    members = _TABLE.groups[known.group] if known and known.group else ()
    if known is None or own not in members or follows_flow(own, config) != (known.group == "flow"):
        return (own,)
    unfit = {*known.without, *(() if config.get("use_dynamic_shifting") else known.shifted)}
    for setting, names in _TABLE.knows.items():
        unfit |= set(members) - set(names) if config.get(setting) else set()
    return (own, *(name for name in members if name not in {own, *unfit}))


def follows_flow(own: str, config: Mapping[str, Any]) -> bool:
    """Whether the scheduler `own` with the settings `config` follows a flow, instead of removing noise."""
    return own.startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))


def check(record: ModelRecord, name: str | None) -> None:
    """Raise `InvalidRequest` when `record` cannot use the scheduler class `name`; None is its own."""
    check_scheduler(name, of(record), record.name)


def label(name: str) -> str:
    """What people call the scheduler class `name`."""
    return _TABLE.labels.get(name, name.removesuffix("Scheduler"))


def _found(record: ModelRecord) -> tuple[str, dict[str, Any]] | None:
    """Class and settings of the scheduler in the checkpoint's files; None while they are not here."""
    places = hub.places(record)
    folder = places.get(hub.CONFIG) or places.get("")
    if folder is None:
        return None
    try:
        listed = components_in(json.loads((folder / INDEX).read_text(encoding="utf-8")))
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        return listed["scheduler"][1], dict(config)
    except (OSError, ValueError, KeyError, TypeError):  # it is told when the model is loaded
        return None


def _usual(record: ModelRecord) -> tuple[str, dict[str, Any]] | None:
    """What the published checkpoint has, or most of its family."""
    known = _TABLE.families.get(record.family)
    return (_TABLE.own.get(record.source, known.own), known.config) if known else None
