"""What the routes of this interface share: who asks, and which checkpoint was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio


def routes() -> APIRouter:
    """An empty room of this interface. Many scripts do not say that their body is JSON. So a page from elsewhere would
    not have to either, but its `Origin` keeps it out at the door."""
    return APIRouter(prefix="/sdapi/v1", tags=["A1111"], strict_content_type=False)


@dataclass(slots=True)
class Chosen:
    """What `POST /options` set: for every client, until the server ends, as in A1111. None is the studio's own."""

    model: str | None = None
    """Id of a model."""
    vae: str | None = None

    def record(self, studio: Studio, title: str = "") -> ModelRecord:
        """The model of that title, else the one that was chosen. Raises `UnknownModel`."""
        name = title or self.model
        return studio.models.find(name) if name else studio.default.record


async def _chosen(request: Request) -> Chosen:
    chosen: Chosen = request.app.state.a1111
    return chosen


async def _caller(request: Request) -> str:
    return f"a1111:{request.client.host if request.client else 'unknown'}"


ChosenDep = Annotated[Chosen, Depends(_chosen)]
CallerDep = Annotated[str, Depends(_caller)]
"""Whose jobs these are: those of this interface from one address. Nobody here can stop another's."""
