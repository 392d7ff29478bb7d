"""What the API and commands tell of hosted models and their providers: never a key, nor an address with one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import ModelRetired
from pipeline.hosted.ready import ProviderState
from pipeline.models.hosted import HostedModel


class HostedFacts(HostedModel):
    """A hosted model, and whether it can be asked for now."""

    kind: Literal["hosted"] = "hosted"
    provider_name: str
    host: str
    """Where prompts go."""
    sizes: tuple[tuple[int, int], ...]
    """Width and height of what there is to choose from; empty where any size within the limits is made."""
    ready: bool
    reason: str
    """Why it cannot be asked for, as a sentence; empty when it can."""
    remedy: str
    """What to do about that."""

    @classmethod
    def of(cls, model: HostedModel, state: ProviderState) -> HostedFacts:
        """A model, whose provider stands as `state` tells."""
        reason, remedy = _hindrance(model, state)
        return cls(
            **dict(model),
            provider_name=state.provider.name,
            host=state.host,
            sizes=model.size.offered,
            ready=not reason,
            reason=reason,
            remedy=remedy,
        )


class ProviderFacts(BaseModel):
    """Who makes pictures elsewhere, and whether they can be asked from here."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    host: str
    """Where prompts go."""
    variables: tuple[tuple[str, ...], ...]
    """The variables with its keys, each with its other names after it."""
    ready: bool
    reason: str
    """Why it cannot be asked, as a sentence; empty when it can."""
    remedy: str
    """What to do about that."""
    acknowledged: bool
    """Whether somebody here has said that prompts may go there."""
    key_url: str
    terms_url: str

    @classmethod
    def of(cls, state: ProviderState) -> ProviderFacts:
        told = state.model_dump(include={"host", "reason", "remedy", "acknowledged"})
        named = state.provider.model_dump(include={"id", "name", "key_url", "terms_url"})
        return cls(variables=state.provider.keys, ready=state.ready, **told, **named)


def _hindrance(model: HostedModel, state: ProviderState) -> tuple[str, str]:
    """Why a model cannot be asked for, and what to do about that; both empty when it can."""
    try:
        model.check_offered()
    except ModelRetired as error:
        return error.info.message, error.info.remedy
    return state.reason, state.remedy
