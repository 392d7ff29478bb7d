"""How a route reaches the studio without holding up the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
from fastapi import Depends, Request

from pipeline.studio import Studio

CLIENT_COOKIE = "darkroom_client"
"""Tells browsers apart, so that each finds its own jobs again. It is an identity, not a permission."""

_THREADS = anyio.CapacityLimiter(8)
"""Our own threads: Streamlit lends AnyIO's shared ones to its pages."""

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a call that reads a file or the database in one of our threads."""
    return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=_THREADS)


async def in_pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same for asyncio, each piece made in one of our threads."""
    while (piece := await in_thread(next, pieces, None)) is not None:
        yield piece


def is_held(tag: str, if_none_match: str | None) -> bool:
    """Whether the browser holds that very version, by RFC 9110's weak comparison."""
    return tag in [held.strip().removeprefix("W/") for held in (if_none_match or "").split(",")]


async def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


async def _client(request: Request) -> str:
    address = request.client.host if request.client else "unknown"
    return request.cookies.get(CLIENT_COOKIE) or f"api:{address}"


A_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""The description of a request whose body is a file, of whatever kind it says that it is."""


def sends(*media_types: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    """The description of an answer that is a file of one of these types; `more` describes other things of it."""
    file = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": dict.fromkeys(media_types, file), **more}}


KEPT: dict[int | str, dict[str, Any]] = {304: {"description": "The version that `If-None-Match` names is still so."}}

StudioDep = Annotated[Studio, Depends(_studio)]
ClientDep = Annotated[str, Depends(_client)]
"""Who asks, for a fair turn in the queue: the browser's cookie, else the address."""
