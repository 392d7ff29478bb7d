"""The API without the pages, as an application of its own: `uvicorn api.alone:app`, which `python -m pipeline serve`
starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from api.description import FACTS
from api.serving import furnish, running_studio
from pipeline.settings import Settings


def application(settings: Settings | None = None) -> FastAPI:
    """The API over a studio of its own, which lives from the application's start to its end and runs the stored queue
    of its outputs folder. Without `settings` those of the environment are read at the start."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with running_studio(app, settings):
            yield

    app = FastAPI(**FACTS, lifespan=lifespan)
    furnish(app)
    app.add_api_route("/", _to_the_description, include_in_schema=False)
    return app


async def _to_the_description() -> RedirectResponse:
    return RedirectResponse("/docs")


app = application()
