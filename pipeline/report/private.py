"""What stays private in a report: folders, the user's name, and every setting and variable that is not harmless."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.models.files import hub
from pipeline.models.registry import ROOT
from pipeline.settings import Settings

HARMLESS = {
    "model",
    "workers",
    "device",
    "preload",
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
    return ours | theirs


def anonymous(text: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with names in the place of folders and of private values, `~` for the home folder, and no user's name in
    paths."""
    names = {
        settings.outputs: "[outputs]",
        settings.cache: "[cache]",
        settings.weights: "[weights]",
        hub.cache_folder(): "[model cache]",
        ROOT: "[darkroom]",
        Path.home(): "~",
    }
    for folder, name in sorted(names.items(), key=lambda pair: -len(str(pair[0]))):  # one may lie in another
        if folder != folder.parent:  # the root would be in every path
            text = text.replace(str(folder), name)
    for name, value in _private_values(environment).items():
        text = text.replace(value, f"[{name}]")
    text = _HUB_TOKEN.sub("[HF_TOKEN]", text)
    for user in _user_names():
        text = re.sub(rf"(?<=[/\\]){re.escape(user)}(?![\w-])", "[user]", text)
    return text


def _private_values(environment: Mapping[str, str]) -> dict[str, str]:
    """What an error might quote, by the names of the variables. Not `DARKROOM_TOKEN`, which nothing ever quotes: a name
    in the place of a usual word would give the word away."""
    values = {name: environment.get(name, "") for name, told in VARIABLES.items() if not told}
    return {name: value for name, value in values.items() if len(value) >= _TELLING}


def _user_names() -> set[str]:
    names = {Path.home().name}
    with suppress(KeyError, OSError, ImportError):  # where the account has no name, as in some containers
        names.add(getpass.getuser())
    return names - {""}
