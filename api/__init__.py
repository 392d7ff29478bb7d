"""What a program sees: jobs, pictures and models over HTTP, the same studio as the pages use."""

from __future__ import annotations

from fastapi import FastAPI

from api import (
    a1111,
    chains,
    comparisons,
    description,
    docs,
    health,
    images,
    jobs,
    login,
    machine,
    models,
    openai,
    plan,
    problems,
    providers,
    queue,
    shelf,
    uploads,
    verify,
)
from api.patience import Patience

ROOMS = (
    *(health, login, docs, jobs, queue, images, uploads, models, providers),
    *(plan, shelf, chains, comparisons, verify, machine),
)


def install(app: FastAPI) -> None:
    """Add the routes and the error format to `app`. The catch-all for unknown ones comes last."""
    problems.install(app)
    for room in (*ROOMS, openai):
        app.include_router(room.router)
    a1111.install(app)
    app.include_router(problems.router)
    app.state.patience = Patience()
    app.state.routes = [route for room in ROOMS for route in room.router.routes]
    description.install(app)
