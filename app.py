"""The studio as one application on one port: `streamlit run app.py`.

FastAPI stands outside, with the door, the API and the files; the Streamlit pages are mounted last, at `/`. One
`Studio` lives as long as the server and serves both. Nothing here imports torch: a worker process does that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from api.access import CLIENT_COOKIE
from api.description import FACTS
from api.serving import furnish, running_studio
from ui import frame, shared

pages = st.App(Path(__file__).with_name("ui") / "pages.py")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One studio for the life of the server, shared by routes and pages."""
    with running_studio(app) as studio:
        shared.hold(studio, CLIENT_COOKIE)
        async with pages.lifespan()(app):
            yield


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


app = FastAPI(**FACTS, lifespan=lifespan)
furnish(app)
app.add_route("/static/{name:path}", part, include_in_schema=False)
for address in frame.ELEMENTS:
    app.add_api_route(address, front, include_in_schema=False)
app.mount("/", pages)
