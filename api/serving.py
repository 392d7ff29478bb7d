"""One studio behind one server: what the application with pages (`app.py`) and the one without (`api.alone`) share."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api
from api.security import Gate
from pipeline.errors import DarkroomError
from pipeline.settings import Settings
from pipeline.studio import Studio

SHUTDOWN_SECONDS = 5
_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - not bound, only understood


class PlainRefusal:
    """Middleware that reports a studio which cannot start as a sentence instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def plain(message: Message) -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, DarkroomError):
                message = {**message, "message": error.info.sentence}
            await send(message)

        await self._app(scope, receive, plain if scope["type"] == "lifespan" else send)


def furnish(app: FastAPI) -> None:
    """Give `app` the door, the API and its description."""
    app.add_middleware(Gate)
    app.add_middleware(PlainRefusal)
    api.install(app)


@contextmanager
def running_studio(app: FastAPI, settings: Settings | None = None) -> Iterator[Studio]:
    """The one studio of the server's life, held by `app`; it runs the stored queue of its folder. Raises as `Studio`
    does."""
    server = set_up_the_server()
    with Studio(settings, persistent=True) as studio:
        app.state.studio = studio
        if server is not None:
            studio.announce(_address(server))
        threading.Thread(target=_tell_the_terminal, args=(studio,), daemon=True).start()
        yield studio


def _tell_the_terminal(studio: Studio) -> None:
    """Which model runs and why, the GPUs, and what is wrong: all that the start-up checks found worth a line."""
    told = [check for check in studio.doctor() if check.name == "GPU" or check.ok is False]
    lines = [f"Model: {studio.default.record.name}. {studio.default.reason}"]
    lines += [f"{check.finding} {check.remedy}".strip() for check in told]
    sys.stdout.write("".join(f"  {line}\n" for line in lines))


def set_up_the_server() -> uvicorn.Server | None:
    """What uvicorn lacks as it is started: a deadline for its end, since by default it waits for as long as a browser
    keeps a stream open, and answers that go out at once. Returns the server, if it is uvicorn's."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, uvicorn.Server):
        return None
    server.config.timeout_graceful_shutdown = SHUTDOWN_SECONDS
    server.config.http_protocol_class = _at_once(server.config.http_protocol_class)
    return server


def _address(server: uvicorn.Server) -> str:
    """Where programs of this machine reach it."""
    host = server.config.host
    name = "127.0.0.1" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"{'https' if server.config.is_ssl else 'http'}://{name}:{server.config.port}"


def _at_once(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """`protocol` whose connections send what they have.

    asyncio sees to that, but not on a socket that was bound before, as Streamlit's is: there the body of an answer
    waits until the browser acknowledges its head, 40 ms each time (https://github.com/Kludex/uvicorn/issues/3149).
    """

    class AtOnce(protocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connection = transport.get_extra_info("socket")
            if connection.family in {socket.AF_INET, socket.AF_INET6}:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().connection_made(transport)

    return AtOnce
