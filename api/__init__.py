"""What a program sees: jobs, pictures and models over HTTP, the same studio as the pages use."""

from __future__ import annotations

from fastapi import FastAPI

from api import (
    a1111,
    chains,
    comparisons,
    health,
    images,
    jobs,
    login,
    models,
    openai,
    plan,
    problems,
    shelf,
    uploads,
    verify,
)


def install(app: FastAPI) -> None:
    """Add the routes and the error format to `app`. The catch-all for unknown ones comes last."""
    problems.install(app)
    for room in (health, login, jobs, images, uploads, models, plan, shelf, chains, comparisons, verify, openai):
        app.include_router(room.router)
    a1111.install(app)
    app.include_router(problems.router)
