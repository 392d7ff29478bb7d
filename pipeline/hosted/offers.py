"""What a server that speaks as OpenAI does offers, and what it tells of that. A Darkroom is one that answers
`GET /api/v1/models` as Darkroom does; of any other only the names are known.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx2
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pipeline.errors import DarkroomError, InvalidRequest, KeyMissing
from pipeline.inputs import Task
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.hosted_size import HostedSize
from pipeline.models.sampling import GuidanceRange, StepRange
from pipeline.models.size import SizeRule
from pipeline.request import MAX_PROMPT_CHARACTERS

ANY_SIZE = HostedSize(native=(1024, 1024), multiple=8, min=64, max=2048)
"""Of a model about which its server tells nothing: the server itself refuses what it cannot make."""
TASKS: tuple[Task, ...] = ("text", "image", "inpaint")


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


def models(client: httpx2.Client, provider: Provider) -> list[HostedModel]:
    """The records of what the server at `provider.base_url` makes itself.

    Raises `InvalidRequest` for what is no such server, `KeyMissing`, and `httpx2.RequestError` when nothing answers.
    """
    listed, told = _listed(client, provider), _told(client, provider)
    found = []
    for name in dict.fromkeys(one.id for one in listed):
        facts = told.get(name)
        if isinstance(facts, _Facts):
            found.append(_told_of(provider, facts, _schedulers(client, provider, name)))
        elif facts is None:
            found.append(_model(provider, name))
    return found


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
