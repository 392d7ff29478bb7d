"""The studio as one application on one port: `streamlit run app.py`.

FastAPI stands outside, with the door, the API and the files; the Streamlit pages are mounted last, at `/`. One
`Studio` lives as long as the server and serves both. Nothing here imports torch: a worker process does that.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import api
from api.access import CLIENT_COOKIE
from api.security import Gate
from pipeline.errors import DarkroomError
from pipeline.studio import Studio
from ui import frame, shared

SHUTDOWN_SECONDS = 5
pages = st.App(Path(__file__).with_name("ui") / "pages.py")


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


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One studio for the life of the server, shared by routes and pages."""
    set_up_the_server()
    with Studio(persistent=True) as studio:
        app.state.studio = studio
        shared.hold(studio, CLIENT_COOKIE)
        threading.Thread(target=_tell_the_terminal, args=(studio,), daemon=True).start()
        async with pages.lifespan()(app):
            yield


def _tell_the_terminal(studio: Studio) -> None:
    """Which model runs and why, the GPUs, and what is wrong: all that the start-up checks found worth a line."""
    told = [check for check in studio.doctor() if check.name == "GPU" or check.ok is False]
    lines = [f"Model: {studio.default.record.name}. {studio.default.reason}"]
    lines += [f"{check.finding} {check.remedy}".strip() for check in told]
    sys.stdout.write("".join(f"  {line}\n" for line in lines))


async def front(request: Request) -> HTMLResponse:
    """What a browser gets first, at the address of each page."""
    return HTMLResponse(frame.page(request.url.path), headers={"Cache-Control": "no-cache"})


async def part(request: Request) -> Response:
    """A file of Streamlit's frame, read at once: a page begins with a hundred, and Streamlit's own route goes through
    several threads for each."""
    path = frame.parts().get(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    return Response(path.read_bytes(), headers=frame.FOREVER, media_type=frame.media_type(path))


def set_up_the_server() -> None:
    """What uvicorn lacks as Streamlit starts it: a deadline for its end, since by default it waits for as long as a
    browser keeps a stream open, and answers that go out at once."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(server, uvicorn.Server):
        server.config.timeout_graceful_shutdown = SHUTDOWN_SECONDS
        server.config.http_protocol_class = _at_once(server.config.http_protocol_class)


def _at_once(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """`protocol` whose connections send what they have.

    asyncio sees to that, but not on a socket that was bound before, as Streamlit's is: there the body of an answer
    waits until the browser acknowledges its head, 40 ms each time (https://github.com/Kludex/uvicorn/issues/3149).
    """

    class AtOnce(protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connection = transport.get_extra_info("socket")
            if connection.family in {socket.AF_INET, socket.AF_INET6}:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().connection_made(transport)

    return AtOnce


app = FastAPI(
    title="Darkroom",
    summary="A local image studio: queue a job, follow it, fetch the picture.",
    lifespan=lifespan,
    docs_url=None,
    redoc_url=None,
)
app.add_middleware(Gate)
app.add_middleware(PlainRefusal)
app.add_route("/static/{name:path}", part, include_in_schema=False)
api.install(app)
for address in frame.ELEMENTS:
    app.add_api_route(address, front, include_in_schema=False)
app.mount("/", pages)
