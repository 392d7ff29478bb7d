"""What the API says about itself: complete, true, and shown without asking another host."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from playwright.sync_api import expect
from pydantic import TypeAdapter

from api import ROOMS
from api.alone import app
from api.description import TAGS, VERSION, ours
from api.shapes import PROBLEM
from pipeline.models.registry import ROOT
from tests.api.conftest import StillStudio, app_of, client_of
from tests.api.serving import served
from tests.browser import launched
from tests.ui.conftest import PATIENCE_MS

DOCUMENT = app.openapi()
TOUR = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OPERATIONS = [pytest.param(*found, id=found[2]["operationId"]) for found in ours(DOCUMENT)]
each_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
ROUTES = [route for room in ROOMS for route in room.router.routes if isinstance(route, APIRoute)]


def answer(operation: dict[str, Any]) -> dict[str, Any]:
    """What an operation answers when all goes well: media type → its schema and example."""
    [found] = [node for status, node in operation["responses"].items() if status.startswith("2")]
    content: dict[str, Any] = found.get("content", {})
    return content


def body(operation: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON that an operation takes: its schema and example; None when it takes none."""
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json")


def check(schema: dict[str, Any], example: Any) -> None:
    jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]}).validate(example)


def test_every_route_of_the_studio_is_described_once() -> None:
    described = {(method.upper(), path) for path, method, _ in ours(DOCUMENT)}
    ids = [operation["operationId"] for _, _, operation in ours(DOCUMENT)]
    for route in ROUTES:
        if route.include_in_schema:
            assert {(method, route.path_format) for method in route.methods} <= described
    assert len(ids) == len(set(ids))
    assert DOCUMENT["info"]["version"] == VERSION
    assert {tag["name"] for tag in DOCUMENT["tags"]} == set(TAGS)


@each_operation
def test_an_operation_has_a_short_summary_a_name_of_its_own_and_its_errors(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert len(operation["summary"]) <= 110
    assert operation["operationId"].startswith(f"{operation['tags'][0]}_")
    errors = {status for status in operation["responses"] if status[0] in "45"}
    expected = set() if path == "/healthz" else {"401", "403", "421", "429", "500"}
    expected |= {"404"} if "{" in path else set()
    expected |= {"422", "413", "415"} if body(operation) else set()
    assert expected <= errors
    for status in errors:
        assert operation["responses"][status] == {"$ref": f"#/components/responses/{status}"}


@pytest.mark.parametrize("status", DOCUMENT["components"]["responses"])
def test_an_error_is_described_as_a_problem_with_an_example(status: str) -> None:
    content = DOCUMENT["components"]["responses"][status]["content"][PROBLEM]
    check(content["schema"], content["example"])
    assert content["example"]["status"] == int(status)


@each_operation
def test_an_operation_shows_an_example_of_what_it_takes_and_of_what_it_answers(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    shown = [*filter(None, [body(operation)]), *(one for kind, one in answer(operation).items() if "json" in kind)]
    for content in shown:
        check(content["schema"], content["example"])
    for parameter in operation.get("parameters", []):
        if parameter["required"] and parameter["in"] == "path":
            check(parameter["schema"], parameter["example"])


@each_operation
def test_the_example_of_a_request_is_taken_by_its_route(
    path: str, method: str, operation: dict[str, Any], still: StillStudio
) -> None:
    if (taken := body(operation)) is None:
        return
    [route] = [one for one in ROUTES if one.path_format == path and method.upper() in one.methods]
    assert route.body_field is not None
    TypeAdapter(route.body_field.field_info.annotation).validate_python(taken["example"])
    address = path
    for parameter in operation.get("parameters", []):
        address = address.replace(f"{{{parameter['name']}}}", str(parameter.get("example")))
    sent = client_of(still).request(method, address, json=taken["example"])
    assert sent.status_code not in {400, 405, 415, 422}, sent.text


@each_operation
def test_the_tour_of_the_interface_names_every_route(path: str, method: str, operation: dict[str, Any]) -> None:
    words = [part for part in path.removeprefix("/api/v1").split("/") if part and "{" not in part]
    assert f"/{words[-1]}" in TOUR
    assert f"`{method.upper()}" in TOUR


def test_nobody_s_name_is_described(still: StillStudio) -> None:
    for name in ("JobState", "ComparisonState"):
        assert "client" not in DOCUMENT["components"]["schemas"][name]["properties"]


def test_the_parts_of_the_page_are_ours_and_nothing_else_is_found_beside_them(still: StillStudio) -> None:
    client = client_of(still)
    assert "script-src 'self';" in client.get("/docs").headers["Content-Security-Policy"]
    for name in ("docs.js", "swagger-ui.css", "swagger-ui-bundle.js"):
        assert client.get(f"/docs/{name}").status_code == 200
    for name in ("docs.py", "..%2f__init__.py", "redoc.standalone.js"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_the_page_shows_the_description_and_asks_no_other_host(still: StillStudio) -> None:
    asked, complaints = list[str](), list[str]()
    with served(app_of(still)) as url, launched() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/docs")
        expect(page.get_by_text("/api/v1/jobs", exact=True).first).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("button", name="POST /api/v1/jobs Queue a job", exact=False).first.click()
        expect(page.get_by_text("a red house by a lake").first).to_be_visible(timeout=PATIENCE_MS)
    assert not [url for url in asked if not url.startswith((url, "data:"))]
    assert complaints == []


def test_the_description_is_there_for_programs(still: StillStudio) -> None:
    client: TestClient = client_of(still)
    assert client.get("/openapi.json").json()["paths"].keys() == DOCUMENT["paths"].keys()
