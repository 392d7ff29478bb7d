"""`completion`: the Tab key, for bash; and what it offers besides commands and options.

An offer is made while somebody types, so nothing is asked of the network, and what cannot be read offers nothing.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.errors import DarkroomError

if TYPE_CHECKING:
    from pipeline.models.hosted import HostedModel
    from pipeline.models.registry import Registry
    from pipeline.settings import Settings

COMPLETE_VARIABLE = "_DARKROOM_COMPLETE"
"""Set by the shell when it asks what could come next."""

_SCRIPT = """\
darkroom() {{
    PYTHONPATH={root} {python} -m pipeline "$@"
}}
_darkroom_complete() {{
    local IFS=$'\\n'
    COMPREPLY=($(env COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD="$COMP_CWORD" {variable}=complete_bash \\
        PYTHONPATH={root} {python} -m pipeline 2> /dev/null))
    ((${{#COMPREPLY[@]}})) && COMPREPLY=($(printf '%q\\n' "${{COMPREPLY[@]}}"))
}}
complete -o default -F _darkroom_complete darkroom\
"""

Suggest = Callable[[], list[str]]


def completion() -> None:
    """Print what teaches bash the command `darkroom`, short for this one, and to complete it with the Tab key."""
    root, python = Path(__file__).resolve().parents[2], Path(sys.executable)
    told = {"root": shlex.quote(str(root)), "python": shlex.quote(str(python)), "variable": COMPLETE_VARIABLE}
    typer.echo(_SCRIPT.format(**told))


def _suggesting(names: Callable[[Settings], Iterable[str]]) -> Suggest:
    """An offer of `names`; typer leaves out those that begin otherwise than what was typed."""

    def suggest() -> list[str]:
        from pipeline.settings import read_settings

        try:
            return list(names(read_settings()))
        except (DarkroomError, OSError):
            return []

    return suggest


def _registry(settings: Settings) -> Registry:
    from pipeline.models.registry import Registry

    return Registry.read(settings.models_file, settings.weights, settings.hosted_file)


def _models(settings: Settings) -> list[str]:
    """Every id, and its last part, which is a name too where it is unique."""
    ids = [record.id for record in _registry(settings).records] + [model.id for model in _hosted(settings)]
    return ids + [model.rpartition("/")[2] for model in ids if "/" in model]


def _hosted(settings: Settings) -> tuple[HostedModel, ...]:
    return _registry(settings).hosted if settings.hosted == "on" else ()


def _options(settings: Settings) -> list[str]:
    """Every option of every hosted model, with each of its values."""
    known = (pair for model in _hosted(settings) for pair in model.options.items())
    return sorted({f"{name}={value}" for name, option in known for value in option.choices})


def _schedulers(settings: Settings) -> list[str]:
    from pipeline.models import schedulers

    return sorted({name for record in _registry(settings).records for name in schedulers.of(record)})


def _loras(settings: Settings) -> list[str]:
    from pipeline.models.own.shelf import Shelf

    return [file.name for file in Shelf(settings.weights).loras()]


def _vaes(settings: Settings) -> list[str]:
    from pipeline.models.own.shelf import Shelf

    return [file.name for file in Shelf(settings.weights).vaes()]


def _upscalers(settings: Settings) -> list[str]:
    from pipeline.models.own.shelf import Shelf
    from pipeline.models.upscalers import upscalers

    return [one.name for one in upscalers(Shelf(settings.weights)) if not one.refusal]


def _controlnets(settings: Settings) -> list[str]:
    from pipeline.models.controlnets import ControlNets

    return [net.id for net in ControlNets.read(settings.weights).records]


def _chains(settings: Settings) -> list[str]:
    from pipeline.chains import Chains

    return [chain.name for chain in Chains(settings.data_folder / "chains").all()]


suggest_models = _suggesting(_models)
suggest_chains = _suggesting(_chains)
suggest_upscalers = _suggesting(_upscalers)
SUGGESTED = {
    "model": suggest_models,
    "scheduler": _suggesting(_schedulers),
    "loras": _suggesting(_loras),
    "vae": _suggesting(_vaes),
    "controls": _suggesting(_controlnets),
    "options": _suggesting(_options),
    "then": suggest_models,
}
"""What is offered for the option of a request's field."""
