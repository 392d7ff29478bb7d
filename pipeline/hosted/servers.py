"""Servers of one's own choice that speak as OpenAI does, another Darkroom first of all. Their records come of asking
them, and stand in one's own `hosted.toml`.

server = ask("http://192.168.1.5:8501", "Studio")
keep(settings.hosted_file, server)
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import tomli_w

from pipeline.errors import InvalidRequest, NotFound, ProviderFailed
from pipeline.hosted import offers
from pipeline.hosted.keys import keys_of
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.own.records import extended, pieces, rewrite
from pipeline.models.registry import Registry

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""Seconds for an answer, and for a connection."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Server(NamedTuple):
    """What is known of a server once it was asked."""

    provider: Provider
    models: list[HostedModel]


def ask(url: str, name: str = "", key_variable: str = "") -> Server:
    """The server at `url`, known as `name` or by its host, with the models that it offers. `/v1` is added to an address
    without a path; `key_variable` names the variable with its key, if it asks for one.

    Raises `InvalidRequest` for what is no such address or server, `KeyMissing`, and `ProviderFailed` when nothing
    answers.
    """
    provider = _provider(url, name, key_variable)
    headers = [("Authorization", f"Bearer {key}") for key in keys_of(provider).values()]
    with httpx2.Client(headers=headers, timeout=TIMEOUT) as client:
        try:
            return Server(provider, offers.models(client, provider))
        except httpx2.RequestError as error:
            message = f"Nothing answers as it should at {provider.base_url}: {type(error).__name__}."
            raise ProviderFailed(message, "Check the address, and that the server runs.", field="url") from None


def keep(file: Path, server: Server) -> None:
    """Write a server and its models into a `hosted.toml`, in place of what stands there of it.

    Raises `InvalidRequest` when its name is that of another one, and `BadSettings` when the file cannot be changed.
    """
    provider, models = server
    shipped = {one.id for one in Registry.read().providers}
    tables = {
        # In full: what fits on a line would be no table of its own, and could not be taken out again.
        "provider": [provider.model_dump(mode="json")],
        "model": [model.model_dump(mode="json", exclude_defaults=True) for model in models],
    }

    def added(text: str) -> str:
        own = _providers(text).get(provider.id)
        if provider.id in shipped or (own is not None and own != provider.base_url):
            message = f"{provider.id} is the name of another provider already."
            raise InvalidRequest(message, "Give it a name of its own.", field="name")
        return extended(_without(text, provider.id), tomli_w.dumps(tables))

    rewrite(file, added, lambda written: Registry.read(own_hosted=written))


def forget(file: Path, provider_id: str) -> None:
    """Take a server and its models out of a `hosted.toml`; all else in it stays.

    Raises `NotFound` when it has no such server, and `BadSettings` when it cannot be changed.
    """

    def shortened(text: str) -> str:
        if provider_id not in _providers(text):
            raise NotFound(
                f"{provider_id} is not among the servers that were added.", "What ships with Darkroom stays."
            )
        return _without(text, provider_id)

    rewrite(file, shortened, lambda written: Registry.read(own_hosted=written))


def nobody_is_asked() -> InvalidRequest:
    """What is said where hosted models are off."""
    message = "No server is asked: hosted models are off here (DARKROOM_HOSTED=off)."
    return InvalidRequest(message, "Set DARKROOM_HOSTED=on, and start the studio again.", field="url")


def _provider(url: str, name: str, key_variable: str) -> Provider:
    address = _address(url)
    known_as = name.strip() or urlsplit(address).netloc
    short = re.sub(r"[^a-z0-9]+", "-", known_as.lower()).strip("-")
    if not short:
        raise InvalidRequest(f"“{name}” is no name.", "Give letters or figures.", field="name")
    if key_variable and not _VARIABLE.fullmatch(key_variable):
        message = "That is not the name of a variable."
        raise InvalidRequest(message, "Put the key into a variable, and give the name of that.", field="key_variable")
    keys = ((key_variable,),) if key_variable else ()
    packages = {"openai": "openai"}
    return Provider(id=short, name=known_as, adapter="compatible", base_url=address, keys=keys, packages=packages)


def _address(url: str) -> str:
    """Where the server's routes begin."""
    try:
        parts = urlsplit(url.strip())
        written = f"{parts.hostname}:{parts.port}"
    except ValueError:
        written = "None"
    if written.startswith("None") or parts.scheme not in {"http", "https"}:
        raise InvalidRequest("That is no address of a server.", "Write http://HOST:PORT or https://HOST.", field="url")
    if "@" in parts.netloc:
        message = "A key in an address would be written down."
        raise InvalidRequest(message, "Put it into a variable, and give the name of that.", field="url")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def _providers(text: str) -> dict[str, str]:
    """The addresses of the providers in the text of a `hosted.toml`, by their ids."""
    return {str(one.get("id")): str(one.get("base_url")) for one in tomllib.loads(text).get("provider", [])}


def _without(text: str, provider_id: str) -> str:
    """The text of a `hosted.toml` without a provider and its models."""
    head, records = pieces(text)
    return head + "".join(record for record in records if not _is_of(record, provider_id))


def _is_of(record: str, provider_id: str) -> bool:
    tables: dict[str, list[dict[str, Any]]] = tomllib.loads(record)
    providers, models = tables.get("provider", []), tables.get("model", [])
    return provider_id in [*(one.get("id") for one in providers), *(one.get("provider") for one in models)]
