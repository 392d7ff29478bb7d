"""What the API and commands tell of hosted models and their providers: never a key, nor an address with one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.hosted.hosted import Hosted
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
    def of(cls, model: HostedModel, hosted: Hosted) -> HostedFacts:
        """A model as it stands now."""
        state, hindrance = hosted.state(hosted.provider(model)), hosted.hindrance(model)
        return cls(
            **dict(model),
            provider_name=state.provider.name,
            host=state.host,
            sizes=model.size.offered,
            ready=hindrance is None,
            reason=hindrance.message if hindrance else "",
            remedy=hindrance.remedy if hindrance else "",
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
