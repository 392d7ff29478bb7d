"""The studio as one application on one port: `streamlit run app.py`.

FastAPI stands outside, with the door, the API and the files; the Streamlit pages are mounted last, at `/`. One
`Studio` lives as long as the server and serves both. Nothing here imports torch: a worker process does that.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
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
    _limit_shutdown()
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


def _limit_shutdown() -> None:
    """Give uvicorn a deadline: by default it waits for as long as a browser keeps a stream open."""
    handler = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if isinstance(handler, uvicorn.Server):
        handler.config.timeout_graceful_shutdown = SHUTDOWN_SECONDS


app = FastAPI(
    title="Darkroom",
    summary="A local image studio: queue a job, follow it, fetch the picture.",
    lifespan=lifespan,
    docs_url=None,
    redoc_url=None,
)
app.add_middleware(Gate)
app.add_middleware(PlainRefusal)
api.install(app)
for address in frame.ELEMENTS:
    app.add_api_route(address, front, include_in_schema=False)
app.mount("/", pages)
