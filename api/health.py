"""Whether the studio is alive, and whether it is ready to generate."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from api.access import StudioDep
from api.shapes import problem
from pipeline.errors import ErrorInfo

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The web process answers. Open to everybody, also when a token is set."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def ready(studio: StudioDep) -> Response:
    """Whether a job would begin at once: 503 while the engine starts, and when it could not."""
    engine = studio.engine
    if engine.status == "failed":
        return problem(503, engine.error or ErrorInfo(code="engine_failed", message="The engine has failed."))
    if engine.status == "starting":
        starting = ErrorInfo(code="starting", message="The engine is starting.", remedy="Jobs queue until then.")
        return problem(503, starting)
    return JSONResponse({"status": engine.status, "model": engine.model})
