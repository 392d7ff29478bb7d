"""What an error looks like in each interface: ours, and those of others, whose clients read their own shape."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from pipeline.errors import ErrorInfo

PROBLEM = "application/problem+json"
Headers = dict[str, str]
Shape = Callable[[int, ErrorInfo, Headers | None], JSONResponse]


def render(path: str, status: int, info: ErrorInfo, headers: Headers | None = None) -> JSONResponse:
    """The response for one error, in the shape of the interface that `path` belongs to."""
    shape = next((shape for prefix, shape in _SHAPES.items() if path.startswith(prefix)), problem)
    return shape(status, info, headers)


class Problem(BaseModel):
    """What is wrong, as RFC 9457 has it, and what to do about it."""

    type: str = "about:blank"
    title: str
    """What the status means in general."""
    status: int
    detail: str
    """What happened, and why."""
    code: str
    """Stable, for programs."""
    field: str | None
    """The field of the request at fault, if there is one."""
    remedy: str
    """What to do next; may be empty."""

    @classmethod
    def of(cls, status: int, info: ErrorInfo) -> Problem:
        told = info.model_dump(include={"code", "field", "remedy"})
        return cls(title=HTTPStatus(status).phrase, status=status, detail=info.message, **told)


def problem(status: int, info: ErrorInfo, headers: Headers | None = None) -> JSONResponse:
    """As our own interface has it."""
    return JSONResponse(Problem.of(status, info).model_dump(), status, headers, media_type=PROBLEM)


def openai(status: int, info: ErrorInfo, headers: Headers | None = None) -> JSONResponse:
    """As OpenAI's clients read it: the status chooses their exception. What is wrong with a request is 400 there, and
    only where that can help do they ask again, which they would by themselves after every 409, 429 and 5xx."""
    again = {"x-should-retry": "true" if info.code == "queue_full" else "false"}
    answered = _OPENAI_STATUS.get(info.code, status)
    if answered == HTTPStatus.UNPROCESSABLE_ENTITY:
        answered = HTTPStatus.BAD_REQUEST
    return JSONResponse({"error": openai_error(status, info)}, answered, (headers or {}) | again)


def openai_error(status: int, info: ErrorInfo) -> dict[str, str | None]:
    """What OpenAI's clients find under `error`, in a body as in a stream."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _OPENAI_CODES.get(info.code, info.code)
    return {"message": info.sentence, "type": kind, "param": info.field, "code": code}


def a1111(status: int, info: ErrorInfo, headers: Headers | None = None) -> JSONResponse:
    """As the A1111 web UI reports it."""
    body = {"error": info.code, "detail": info.sentence, "body": "", "errors": info.sentence}
    return JSONResponse(body, status, headers)


_OPENAI_CODES = {
    "unknown_model": "model_not_found",
    "model_retired": "model_not_found",
    "content_refused": "content_policy_violation",
    "token_needed": "invalid_api_key",
}
"""OpenAI's names of errors that scripts ask for."""
_OPENAI_STATUS: dict[str, int] = {
    "model_retired": HTTPStatus.NOT_FOUND,
    "key_missing": HTTPStatus.FAILED_DEPENDENCY,
    "quota_exceeded": HTTPStatus.FAILED_DEPENDENCY,
    "provider_failed": HTTPStatus.FAILED_DEPENDENCY,
}
"""Where it is another than in our own interface. No client repeats what is answered with 424, and a repeated request
may be paid twice: some of its pictures may be made already."""
_SHAPES: dict[str, Shape] = {"/v1/": openai, "/sdapi/": a1111, "/controlnet/": a1111}
