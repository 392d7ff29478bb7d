"""The keys of providers: from the environment or the file `.env`, and never written anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from pipeline.errors import KeyMissing
from pipeline.models.hosted import Provider

ENV_FILE = Path(".env")
HIDDEN = "[key]"


def variable(name: str) -> str:
    """The value of a variable, without blanks around it; empty when it is not set. The environment wins."""
    found = (os.environ.get(name), dotenv_values(ENV_FILE).get(name))
    return next((value.strip() for value in found if value and value.strip()), "")


def keys_of(provider: Provider) -> dict[str, str]:
    """The keys that a provider asks for, by the first name of each. Raises `KeyMissing`, which says what to set."""
    if absent := missing(provider):
        remedy = f"Set {' and '.join(absent)} in .env, or in the environment and start the studio again."
        page = f" A key is made at {provider.key_url}." if provider.key_url else ""
        raise KeyMissing(f"{provider.name} asks for a key, and none is set.", remedy + page, field="model")
    return {names[0]: _first(names) for names in provider.keys}


def missing(provider: Provider) -> list[str]:
    """The variables that are to be set before a provider can be asked."""
    return [names[0] for names in provider.keys if not _first(names)]


def base_url(provider: Provider) -> str:
    """A provider's address, or the one that its variable names."""
    chosen = variable(provider.base_url_variable) if provider.base_url_variable else ""
    return (chosen or provider.base_url).rstrip("/")


def host(url: str) -> str:
    """Of an address the host and port, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def without_keys(text: str, keys: Iterable[str]) -> str:
    """A text in which no key is to be read."""
    for key in filter(None, keys):
        text = text.replace(key, HIDDEN)
    return text


def _first(names: tuple[str, ...]) -> str:
    return next(filter(None, map(variable, names)), "")
