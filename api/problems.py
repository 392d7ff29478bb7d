"""From errors to responses: every error that a route raises, and every route that there is not."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from api.shapes import render
from pipeline.errors import DarkroomError, ErrorInfo, InvalidRequest, NotFound
from pipeline.request import refusal

STATUS = {
    "invalid_request": 422,
    "unknown_model": 404,
    "not_found": 404,
    "queue_full": 429,
    "busy": 409,
    "job_cancelled": 409,
    "folder_in_use": 409,
    "content_refused": 422,
    "model_retired": 410,
    "key_missing": 503,
    "quota_exceeded": 503,
    "provider_failed": 502,
    "model_unavailable": 503,
    "dependency_missing": 503,
    "out_of_memory": 507,
    "output_unwritable": 507,
}
"""HTTP status for each error code; the codes that are not here are the studio's own failures, 500."""

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_JSON = re.compile(r"[/+]json\b")
router = APIRouter()


def install(app: FastAPI) -> None:
    """Render every error of the API in the shape of its interface."""
    app.exception_handler(DarkroomError)(_from_darkroom)
    app.exception_handler(RequestValidationError)(_from_validation)
    app.exception_handler(HTTPException)(_from_http)
    app.exception_handler(Exception)(_from_bug)


async def unknown_route(request: Request) -> Response:
    """Anything else under the roots of the API, which would otherwise fall through to the pages: OPTIONS of what there
    is, other methods than it has, and what there is not."""
    path = request.scope["path"]
    known = (route for route in request.app.state.routes if route.path_regex.match(path))
    allowed = sorted({method for route in known for method in route.methods})
    if not allowed:
        raise NotFound(f"There is no {request.method} {path}.", "The routes are listed in /openapi.json.")
    headers = {"Allow": ", ".join([*allowed, "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    remedy = f"It has {', '.join(allowed)}."
    info = ErrorInfo(code="method_not_allowed", message=f"{path} has no {request.method}.", remedy=remedy)
    return render(path, 405, info, headers)


for root in ("/api", "/v1", "/sdapi", "/controlnet"):
    methods = [*METHODS, "HEAD", "OPTIONS"] if root == "/api" else METHODS
    router.add_api_route(f"{root}/{{path:path}}", unknown_route, methods=methods, include_in_schema=False)


async def _from_darkroom(request: Request, error: DarkroomError) -> JSONResponse:
    headers = {"Retry-After": "10"} if error.info.code == "queue_full" else None
    return render(request.url.path, STATUS.get(error.info.code, 500), error.info, headers)


async def _from_validation(request: Request, error: RequestValidationError) -> JSONResponse:
    kind = request.headers.get("content-type", "")
    if error.errors()[0]["loc"] == ("body",) and isinstance(error.body, bytes) and not _JSON.search(kind):
        remedy = "Send “Content-Type: application/json”."
        message = f"The body is {kind or 'of no type'}, and not JSON."
        return render(request.url.path, 415, ErrorInfo(code="unsupported_media_type", message=message, remedy=remedy))
    return render(request.url.path, 422, _as_invalid_request(error).info)


def _as_invalid_request(error: RequestValidationError) -> InvalidRequest:
    """FastAPI's report in the words that the pages use: the location without its leading `body` or `query`."""
    first: ErrorDetails = error.errors()[0]
    if first["type"] == "json_invalid":
        return InvalidRequest("The body is not valid JSON.", f"{first['ctx']['error']}.")
    if len(first["loc"]) < 2 and "field" not in first.get("ctx", {}):
        return InvalidRequest("The request has no body.", "Send a JSON object.")
    return refusal({**first, "loc": first["loc"][1:]})


async def _from_http(request: Request, error: HTTPException) -> JSONResponse:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    info = ErrorInfo(code=code, message=f"{error.detail}.")
    return render(request.url.path, error.status_code, info, dict(error.headers or {}))


async def _from_bug(request: Request, error: Exception) -> JSONResponse:
    message = "Darkroom met an error that it does not know."
    remedy = "The terminal that runs it shows the details; please report them."
    return render(request.url.path, 500, ErrorInfo(code="error", message=message, remedy=remedy))
