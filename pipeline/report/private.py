"""What stays private in a report: folders, the user's name, and every setting and variable that is not harmless."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from dotenv import dotenv_values

from pipeline.errors import BadSettings
from pipeline.hosted import keys
from pipeline.models.files import hub
from pipeline.models.registry import ROOT, Registry
from pipeline.settings import Settings

HARMLESS = {
    "model",
    "workers",
    "device",
    "preload",
    "hosted",
    "hosted_jobs",
    "max_queue",
    "max_queue_per_client",
    "max_pixels",
    "max_input_pixels",
}
"""Settings whose values are told; of every other one, only that it is set."""
VARIABLES = {
    "HF_TOKEN": False,
    "HF_HOME": False,
    "HF_ENDPOINT": False,
    "HTTPS_PROXY": False,
    "HF_HUB_OFFLINE": True,
    "CUDA_VISIBLE_DEVICES": True,
    "OMP_NUM_THREADS": True,
    "PYTORCH_CUDA_ALLOC_CONF": True,
}
"""Variables of the libraries, and whether their values are told."""

_TELLING = 8
"""Characters; what is shorter occurs by chance as well."""
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}")
"""Also one that a login has stored, which no variable holds."""


def told_settings(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What is set otherwise than it comes, by the names of the variables."""
    ours = {
        f"DARKROOM_{name.upper()}": str(getattr(settings, name)) if name in HARMLESS else "set"
        for name in type(settings).model_fields
        if name in settings.model_fields_set
    }
    theirs = {name: environment[name] if told else "set" for name, told in VARIABLES.items() if environment.get(name)}
    providers = {name: "set" for name in _of_providers(settings) if any(_values(name, environment))}
    return ours | theirs | providers


def hiding(settings: Settings, environment: Mapping[str, str] = os.environ) -> Callable[[str], str]:
    """What puts names in the place of folders and of private values into a text, `~` for the home folder, and leaves no
    user's name in paths."""
    return partial(_hidden, _folders(settings), tuple(_private_values(settings, environment)), _user_names())


def _hidden(folders: Mapping[Path, str], values: Sequence[tuple[str, str]], users: Iterable[str], text: str) -> str:
    for folder, name in sorted(folders.items(), key=lambda pair: -len(str(pair[0]))):  # one may lie in another
        if folder != folder.parent:  # the root would be in every path
            text = text.replace(str(folder), name)
    for name, value in values:
        text = text.replace(value, f"[{name}]")
    text = _HUB_TOKEN.sub("[HF_TOKEN]", text)
    for user in users:
        text = re.sub(rf"(?<=[/\\]){re.escape(user)}(?![\w-])", "[user]", text)
    return text


def _folders(settings: Settings) -> dict[Path, str]:
    return {
        settings.outputs: "[outputs]",
        settings.cache: "[cache]",
        settings.weights: "[weights]",
        hub.cache_folder(): "[model cache]",
        ROOT: "[darkroom]",
        Path.home(): "~",
    }


def _private_values(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What an error might quote, each with the name of its variable. Not `DARKROOM_TOKEN`, which nothing ever quotes: a
    name in the place of a usual word would give the word away."""
    for name in (*(name for name, told in VARIABLES.items() if not told), *_of_providers(settings)):
        yield from ((name, value) for value in _values(name, environment) if len(value) >= _TELLING)


def _values(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The values of a variable in the environment and in `.env`, where there are some."""
    return environment.get(name, "").strip(), (dotenv_values(keys.ENV_FILE).get(name) or "").strip()


def _of_providers(settings: Settings) -> list[str]:
    """The variables of every provider that is known here: its keys, and its address, which may hold a password."""
    try:
        registry = Registry.read(own_hosted=settings.hosted_file)
    except BadSettings:  # the report is written all the same
        registry = Registry.read()
    named = ((one.base_url_variable, *(name for names in one.keys for name in names)) for one in registry.providers)
    return [name for names in named for name in names if name]


def _user_names() -> set[str]:
    names = {Path.home().name}
    with suppress(KeyError, OSError, ImportError):  # where the account has no name, as in some containers
        names.add(getpass.getuser())
    return names - {""}
