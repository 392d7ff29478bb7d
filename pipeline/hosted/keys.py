"""The keys of providers: from the environment or the file `.env`, and never written anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from pipeline.errors import KeyMissing
from pipeline.models.hosted import Provider

ENV_FILE = Path(".env")
HIDDEN = "[key]"


def variables(names: Sequence[str]) -> dict[str, str]:
    """The values of variables, without blanks around them; empty where one is not set. The environment wins, and the
    file is read once, and only for what is not there."""
    found = {name: os.environ.get(name, "").strip() for name in names}
    if all(found.values()):
        return found
    file = dotenv_values(ENV_FILE)
    return {name: value or (file.get(name) or "").strip() for name, value in found.items()}


def keys_of(provider: Provider) -> dict[str, str]:
    """The keys that a provider asks for, by the first name of each. Raises `KeyMissing`, which says what to set."""
    found = _keys(provider)
    if absent := [name for name, key in found.items() if not key]:
        remedy = f"Set {' and '.join(absent)} in .env, or in the environment and start the studio again."
        page = f" A key is made at {provider.key_url}." if provider.key_url else ""
        raise KeyMissing(f"{provider.name} asks for a key, and none is set.", remedy + page, field="model")
    return found


def base_url(provider: Provider) -> str:
    """A provider's address, or the one that its variable names."""
    name = provider.base_url_variable
    return ((name and variables([name])[name]) or provider.base_url).rstrip("/")


def host(url: str) -> str:
    """Of an address the host and port, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def without_keys(text: str, keys: Iterable[str]) -> str:
    """A text in which no key is to be read."""
    for key in filter(None, keys):
        text = text.replace(key, HIDDEN)
    return text


def _keys(provider: Provider) -> dict[str, str]:
    """The keys by the first name of each; empty where none of a key's names is set."""
    found = variables([name for names in provider.keys for name in names])
    return {names[0]: next((found[name] for name in names if found[name]), "") for names in provider.keys}
