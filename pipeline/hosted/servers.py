"""Servers of one's own choice that speak as OpenAI does, another Darkroom first of all. Their records come of asking
them, and stand in one's own `hosted.toml`.

server = ask("http://192.168.1.5:8501", "Studio")
keep(settings.hosted_file, server)
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import httpx2
import tomli_w
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pipeline.errors import DarkroomError, InvalidRequest, KeyMissing, NotFound, ProviderFailed
from pipeline.hosted.keys import keys_of
from pipeline.inputs import Task
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.hosted_size import HostedSize
from pipeline.models.own.records import extended, pieces, rewrite
from pipeline.models.registry import Registry
from pipeline.models.sampling import GuidanceRange, StepRange
from pipeline.models.size import SizeRule
from pipeline.request import MAX_PROMPT_CHARACTERS

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""Seconds for an answer, and for a connection."""
ANY_SIZE = HostedSize(native=(1024, 1024), multiple=8, min=64, max=2048)
"""Of a model about which its server tells nothing: the server itself refuses what it cannot make."""
TASKS: tuple[Task, ...] = ("text", "image", "inpaint")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Server(NamedTuple):
    """What is known of a server once it was asked."""

    provider: Provider
    models: list[HostedModel]


class _Named(BaseModel):
    id: str


class _Listed(BaseModel):
    """The answer of `GET /v1/models`."""

    data: list[_Named]


class _Elsewhere(_Named):
    """A model that a Darkroom has from a provider itself; left out, since prompts would go on to a third party."""

    kind: Literal["hosted"]


class _Facts(_Named):
    """What a Darkroom tells of a checkpoint beyond its id."""

    kind: Literal["checkpoint"]
    name: str
    summary: str
    steps: StepRange
    guidance: GuidanceRange
    size: SizeRule
    negative_prompt: bool
    pipelines: dict[Task, str]


class _Scheduler(BaseModel):
    name: str


_SCHEDULERS = TypeAdapter(list[_Scheduler])
"""The answer of a Darkroom's own `GET /api/v1/models/{id}/schedulers`."""


class _Told(BaseModel):
    """The answer of a Darkroom's own `GET /api/v1/models`."""

    models: list[Annotated[_Facts | _Elsewhere, Field(discriminator="kind")]]


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
            return Server(provider, _models(client, provider))
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


def _models(client: httpx2.Client, provider: Provider) -> list[HostedModel]:
    """The records of what the server makes itself."""
    listed, told = _listed(client, provider), _told(client, provider)
    models = []
    for name in dict.fromkeys(one.id for one in listed):
        facts = told.get(name)
        if isinstance(facts, _Facts):
            models.append(_told_of(provider, facts, _schedulers(client, provider, name)))
        elif facts is None:
            models.append(_model(provider, name))
    return models


def _listed(client: httpx2.Client, provider: Provider) -> list[_Named]:
    answer = client.get(f"{provider.base_url}/models")
    if answer.status_code in {401, 403}:
        raise _refused(provider)
    try:
        found = _Listed.model_validate_json(answer.raise_for_status().content).data
    except (httpx2.HTTPStatusError, ValidationError):
        found = []
    if not found:
        message = f"{provider.base_url}/models lists no models, as a server would that speaks as OpenAI does."
        raise InvalidRequest(message, "Check the address; it often ends with /v1.", field="url")
    return found


def _refused(provider: Provider) -> DarkroomError:
    if provider.keys:
        return KeyMissing(f"{provider.name} refuses the key.", f"Check {provider.keys[0][0]}.", field="key_variable")
    remedy = "Put it into a variable, in the environment or in .env, and give the name of that."
    return KeyMissing(f"{provider.name} asks for a key.", remedy, field="key_variable")


def _told(client: httpx2.Client, provider: Provider) -> dict[str, _Facts | _Elsewhere]:
    """What the server tells of its models, by their ids; nothing where it is no Darkroom."""
    answer = client.get(f"{_own(provider)}/models")
    try:
        return {one.id: one for one in _Told.model_validate_json(answer.raise_for_status().content).models}
    except (httpx2.HTTPStatusError, ValidationError):
        return {}


def _schedulers(client: httpx2.Client, provider: Provider, source: str) -> tuple[str, ...]:
    """The scheduler classes that a Darkroom's model can use, its own first; none where it does not say."""
    answer = client.get(f"{_own(provider)}/models/{source}/schedulers")
    try:
        return tuple(one.name for one in _SCHEDULERS.validate_json(answer.raise_for_status().content))
    except (httpx2.HTTPStatusError, ValidationError):
        return ()


def _own(provider: Provider) -> str:
    """Where a Darkroom's own routes begin."""
    return f"{provider.base_url.removesuffix('/v1')}/api/v1"


def _told_of(provider: Provider, facts: _Facts, schedulers: tuple[str, ...]) -> HostedModel:
    """The record of a Darkroom's model."""
    told: dict[str, Any] = {
        "summary": facts.summary,
        "tasks": tuple(facts.pipelines),
        "size": HostedSize(**facts.size.model_dump()),
        "negative_prompt": facts.negative_prompt,
        "darkroom": True,
        "steps": facts.steps,
        "guidance": facts.guidance,
        "schedulers": schedulers,
        "evidence": "what the server tells of it",
    }
    return _model(provider, facts.id, facts.name, **told)


def _model(provider: Provider, source: str, name: str = "", **told: Any) -> HostedModel:
    """The record of one of its models. One picture in a call, so that each has the seed that it is known by."""
    fields: dict[str, Any] = {
        "id": f"{provider.id}/{source}",
        "name": f"{name or source} ({provider.name})",
        "provider": provider.id,
        "source": source,
        "summary": f"A model of {provider.name}.",
        "tasks": TASKS,
        "size": ANY_SIZE,
        "prompt_characters": MAX_PROMPT_CHARACTERS,
        "seed": True,
        "evidence": "the server's list of models; all else is unknown",
    }
    return HostedModel(**fields | told)


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
