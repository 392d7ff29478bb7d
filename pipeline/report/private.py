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


def told_settings(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What is set otherwise than it comes, by the names of the variables."""
    ours = {
        f"DARKROOM_{name.upper()}": str(getattr(settings, name)) if name in HARMLESS else "set"
        for name in type(settings).model_fields
        if name in settings.model_fields_set
    }
    theirs = {name: environment[name] if told else "set" for name, told in VARIABLES.items() if environment.get(name)}
    return ours | theirs


def anonymous(text: str, settings: Settings) -> str:
    """`text` with names in the place of folders, `~` for the home folder, and no user's name in paths."""
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
    for user in _user_names():
        text = re.sub(rf"(?<=[/\\]){re.escape(user)}(?![\w-])", "[user]", text)
    return text


def _user_names() -> set[str]:
    names = {Path.home().name}
    with suppress(KeyError, OSError, ImportError):  # where the account has no name, as in some containers
        names.add(getpass.getuser())
    return names - {""}
