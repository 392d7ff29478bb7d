"""Whether the studio is alive, and whether it is ready to generate."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.access import StudioDep
from api.shapes import problem
from pipeline.errors import ErrorInfo

router = APIRouter(tags=["health"])


class Life(BaseModel):
    """That the web process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What the engine does when it is ready."""

    status: str
    model: str | None
    """Id of the loaded model."""


@router.get("/healthz")
async def alive() -> Life:
    """Tell that the web process answers. Open to everybody, also when a token is set."""
    return Life()


@router.get("/readyz", response_model=Readiness)
async def ready(studio: StudioDep) -> Response:
    """Tell whether a job would begin at once: 503 while the engine starts, and when it could not."""
    engine = studio.engine
    if engine.status == "failed":
        return problem(503, engine.error or ErrorInfo(code="engine_failed", message="The engine has failed."))
    if engine.status == "starting":
        starting = ErrorInfo(code="starting", message="The engine is starting.", remedy="Jobs queue until then.")
        return problem(503, starting)
    return JSONResponse(Readiness(status=engine.status, model=engine.model).model_dump())
