"""What the API says about itself in its description, `/openapi.json`: FastAPI's own, with stable names, every error
that can come, and an example of every request and every answer (`examples.json`, from a studio that ran)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id

from api.shapes import PROBLEM, Problem
from pipeline.errors import ErrorInfo
from pipeline.models.registry import ROOT

VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
Node = dict[str, Any]
"""A part of the description, as JSON."""

TAGS = {
    "health": "Whether the studio lives, and whether it is ready.",
    "jobs": "Pictures are made by jobs: queue one, follow it, change its place, cancel it.",
    "images": "Finished pictures: find, mark, fetch, compare, delete and bring back.",
    "verify": "Whether pictures are as they were made, and whether their recipes still make them.",
    "uploads": "Pictures to work from, and maps to follow: brought along once, then named by their id.",
    "models": "What can run, its files, and what goes beside it.",
    "plans": "What a request would need and take, told before it is queued.",
    "chains": "Several models in a row, kept under a name.",
    "comparisons": "One wish at many settings, on a labelled sheet.",
    "studio": "The studio itself: its workers, its checks, its cache.",
}
_ERRORS = {
    401: ("The studio asks for a token.", "token_needed", "This studio asks for a token.", None),
    403: ("A page from another site asked.", "foreign_origin", "A page from “https://example.org” may not …", None),
    404: ("Something that the request names is not there.", "not_found", "There is no job 0123456789abcdef.", None),
    409: ("The workers are busy.", "busy", "Every worker starts, loads or has a job in hand.", None),
    410: ("The provider has ended the model.", "model_retired", "It was retired on 1 December 2026.", "model"),
    413: ("The body is too large.", "too_large", "The body is larger than 1048576 bytes.", None),
    415: ("The body is no JSON.", "unsupported_media_type", "The body is text/plain, and not JSON.", None),
    421: ("The host is not the studio's.", "foreign_host", "“example.org” is not this studio.", None),
    422: ("A field is missing or cannot be had.", "invalid_request", "width cannot be 12.", "width"),
    429: (
        "The queue is full, or wrong tokens came.",
        "queue_full",
        "100 of your jobs are waiting already.",
        None,
    ),
    500: ("The studio failed.", "error", "Darkroom met an error that it does not know.", None),
    503: (
        "A model, its provider or the engine cannot be had.",
        "key_missing",
        "OpenAI asks for a key, and none is set.",
        "model",
    ),
    507: ("Memory or disk do not suffice.", "out_of_memory", "The model does not fit this machine.", None),
}
"""Status → when it comes, and an example: code, message and field."""
_EVERYWHERE = (401, 403, 421, 429, 500)
_ASKS_OTHERS = {"/readyz", "/api/v1/account"}
_QUEUES = {"/api/v1/jobs", "/api/v1/comparisons"}
_PRIVATE = {"JobState", "ComparisonState"}
"""Schemas whose `client` is left out of every answer."""


def _operation_id(route: APIRoute) -> str:
    """Such as `jobs_submit`: it stays when an address changes. Routes of other interfaces keep FastAPI's."""
    if route.tags and route.tags[0] in TAGS:
        return f"{route.tags[0]}_{route.name}"
    return generate_unique_id(route)


FACTS: Node = {
    "title": "Darkroom",
    "summary": "A local image studio: queue a job, follow it, fetch the picture.",
    "version": VERSION,
    "license_info": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    "openapi_tags": [{"name": name, "description": told} for name, told in TAGS.items()],
    "generate_unique_id_function": _operation_id,
    "docs_url": None,
    "redoc_url": None,
}
"""What an application is made with; `api.docs` has the page that shows the description."""


def install(app: FastAPI) -> None:
    """Have `app` describe itself in full."""
    plain = app.openapi

    def openapi() -> Node:
        if app.openapi_schema is None:
            _complete(plain())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: Node) -> None:
    parts = document["components"]
    parts["schemas"]["Problem"] = Problem.model_json_schema()
    parts["responses"] = {str(status): _error(status) for status in _ERRORS}
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "`DARKROOM_TOKEN`"}}
    for name in _PRIVATE & parts["schemas"].keys():
        del parts["schemas"][name]["properties"]["client"]
        parts["schemas"][name]["required"].remove("client")
    examples = json.loads(Path(__file__).with_name("examples.json").read_text(encoding="utf-8"))
    for path, method, operation in ours(document):
        told = operation["description"].split("\n\n")[0].replace("\n", " ")
        operation["summary"] = told.split(". ")[0].split(": ")[0].split("; ")[0].rstrip(".")
        operation["security"] = [{}, {"token": []}]
        operation["responses"] |= {
            str(status): {"$ref": f"#/components/responses/{status}"} for status in _errors(path, method, operation)
        }
        _show(operation, examples["parameters"], examples["operations"].get(operation["operationId"], {}))


def ours(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Address, method and operation of each route of our own interface."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("tags", [""])[0] in TAGS:
                yield path, method, operation


def _error(status: int) -> Node:
    when, code, message, field = _ERRORS[status]
    example = Problem.of(status, ErrorInfo(code=code, message=message, field=field)).model_dump()
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": when, "content": content}


def _errors(path: str, method: str, operation: Node) -> Iterator[int]:
    """The errors that an operation can end with."""
    body = operation.get("requestBody", {}).get("content", {})
    if path == "/healthz":
        return
    yield from _EVERYWHERE
    if "{" in path or body:
        yield 404
    if body or operation.get("parameters"):
        yield 422
    if body:
        yield 413
    if "application/json" in body:
        yield 415
    if method != "get" or path in _ASKS_OTHERS:
        yield from (503, 507)
    if method == "post" and path in _QUEUES:
        yield 410
    if path.endswith("/load"):
        yield 409


def _show(operation: Node, parameters: Node, example: Node) -> None:
    """Put the examples where they belong."""
    for parameter in operation.get("parameters", []):
        if parameter["name"] in parameters and parameter["required"]:
            parameter["example"] = parameters[parameter["name"]]
    for part, node in (("request", operation.get("requestBody", {})), ("response", _success(operation))):
        for content in node.get("content", {}).values():
            if part in example:
                content["example"] = example[part]


def _success(operation: Node) -> Node:
    """The answer when all goes well."""
    found: Node = next(node for status, node in operation["responses"].items() if status.startswith("2"))
    return found
