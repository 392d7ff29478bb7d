"""Errors: each in the shape of RFC 9457, whatever goes wrong with a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.shapes import PROBLEM
from tests.api.conftest import StillStudio, client_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def web(still: StillStudio) -> TestClient:
    return client_of(still)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"].endswith((".", "…"))
    assert {"type", "title", "field", "remedy"} <= problem.keys()
    return problem


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/jobs", "GET, POST, OPTIONS"),
        ("PATCH", "/api/v1/jobs/x", "DELETE, GET, OPTIONS"),
        ("DELETE", "/api/v1/plan", "POST, OPTIONS"),
        ("POST", "/api/v1/images/x/file", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_a_route_does_not_have_is_refused_with_those_that_it_has(
    web: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = web.request(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


def test_options_tells_the_methods_and_invites_no_other_site(web: TestClient) -> None:
    answer = web.options("/api/v1/jobs", headers={"Access-Control-Request-Method": "POST"})
    assert (answer.status_code, answer.text, answer.headers["Allow"]) == (204, "", "GET, POST, OPTIONS")
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert web.options("/api/v1/nothing").status_code == 404


def test_head_answers_for_files_and_is_refused_elsewhere(web: TestClient) -> None:
    assert web.head("/api/v1/images/x/file").status_code == 404
    answer = web.head("/api/v1/jobs")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, OPTIONS")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonish"])
def test_a_body_that_does_not_say_that_it_is_json_is_refused(web: TestClient, kind: str) -> None:
    answer = web.post("/api/v1/jobs", content=b'{"prompt": "a boat"}', headers={"Content-Type": kind})
    assert "application/json" in refused(answer, 415, "unsupported_media_type")["remedy"]


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"prompt": "\xff"}', b"[" * 100_000, b'{"seed": ' + b"9" * 5000 + b"}", b"NaN", b"\x00"],
    ids=["cut off", "no unicode", "deep", "huge number", "no number", "nul"],
)
def test_a_body_that_cannot_be_read_is_a_problem(web: TestClient, body: bytes) -> None:
    answer = web.post("/api/v1/jobs", content=body, headers=JSON)
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == PROBLEM


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v1/jobs", {"prompt": "a", "\ud800": 1}, None),
        ("/api/v1/jobs", {"prompt": "a\ud800"}, "prompt"),
        ("/api/v1/jobs", {"prompt": "a", "seed": 10**30}, "seed"),
        ("/api/v1/estimate", {"num_images": 0}, "num_images"),
        ("/api/v1/tokens", {"prompt": "a", "model": 3}, "model"),
        ("/api/v1/tokens", {}, "prompt"),
        ("/api/v1/models", {"source": "a" * 300}, "source"),
    ],
)
def test_the_field_at_fault_is_named(web: TestClient, path: str, body: Any, field: str | None) -> None:
    answer = web.post(path, content=json.dumps(body), headers=JSON)
    assert refused(answer, 422, "invalid_request")["field"] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("status=done", "status"),
        ("before=x", "before"),
    ],
)
def test_the_part_of_a_query_at_fault_is_named(web: TestClient, query: str, field: str) -> None:
    assert refused(web.get(f"/api/v1/jobs?{query}"), 422, "invalid_request")["field"] == field
