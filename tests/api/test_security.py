"""The door: who comes in."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.security import CLIENT_COOKIE, MAX_BODY, SESSION_COOKIE, UPLOADS, Gate
from api.uploads import MAX_BYTES, PREFIX
from pipeline.studio import Studio

ROOT = Path(__file__).parents[2]

PAGE = {"Accept": "text/html"}


def test_a_foreign_host_is_refused_with_the_setting_that_would_allow_it(client: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        answer = client.get("/api/v1/models", headers={"Host": host})
        assert answer.status_code == 421
        assert "DARKROOM_ALLOWED_HOSTS" in answer.json()["remedy"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8501", "127.0.0.1:99", "[::1]:8501"])
def test_our_own_names_are_let_in_at_any_port(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null", "http://[::1"])
def test_a_page_from_elsewhere_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("/api/v1/jobs", json={"prompt": "a boat"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"


def test_our_own_page_is_let_in(client: TestClient) -> None:
    assert client.get("/api/v1/models", headers={"Origin": "http://localhost:8501"}).status_code == 200


def test_a_websocket_from_elsewhere_is_closed(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/_stcore/stream", headers={"Origin": "https://evil.example"}),
    ):
        pass


def test_a_large_body_is_refused_before_and_while_it_is_read(client: TestClient) -> None:
    def trickle() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(MAX_BODY // 1000 + 1):
            yield b"x" * 1000

    json_type = {"Content-Type": "application/json"}
    for body in (b"x" * (MAX_BODY + 1), trickle()):
        answer = client.post("/api/v1/jobs", content=body, headers=json_type)
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.fixture
def reader(studio: Studio) -> TestClient:
    """A client of the door with an application behind it that reads every body to its end, as the pages do."""
    app = FastAPI()
    app.state.studio = studio
    app.add_middleware(Gate)

    @app.api_route("/{path:path}", methods=["PUT", "POST"])
    async def read(request: Request) -> int:
        return sum([len(part) async for part in request.stream()])

    return TestClient(app, base_url="http://localhost:8501")


def test_a_file_for_the_pages_may_be_as_large_as_their_configuration_says(reader: TestClient) -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    most = settings["server"]["maxUploadSize"]
    for megabytes, status in ((2, 200), (most, 200), (most + 1, 413)):
        announced = reader.put(f"{UPLOADS}session/file", content=b"x" * megabytes * 2**20)
        counted = reader.put(f"{UPLOADS}session/file", content=(b"x" * 2**20 for _ in range(megabytes)))
        assert (announced.status_code, counted.status_code) == (status, status)


def test_a_picture_to_work_from_may_be_as_large_as_one_for_the_pages(reader: TestClient) -> None:
    for more, status in ((0, 200), (1, 413)):
        announced = reader.post(PREFIX, content=b"x" * (MAX_BYTES + more))
        parts = (b"x" * size for size in (*[2**20] * (MAX_BYTES // 2**20), more))
        counted = reader.post(PREFIX, content=parts)
        assert (announced.status_code, counted.status_code) == (status, status)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{UPLOADS}session/file"),
        ("PUT", "/api/v1/jobs"),
        ("PUT", "/_stcore/other"),
        ("PUT", PREFIX),
        ("POST", f"{PREFIX}/from-image/x"),
        ("POST", f"{PREFIX}/../jobs"),
    ],
)
def test_nothing_else_may_be_as_large_as_a_file(reader: TestClient, method: str, path: str) -> None:
    assert reader.request(method, path, content=b"x" * (MAX_BODY + 1)).status_code == 413


def test_without_the_token_programs_get_401_and_people_the_form(guarded: TestClient) -> None:
    program = guarded.get("/api/v1/models")
    assert program.status_code == 401
    assert program.headers["WWW-Authenticate"] == "Bearer"
    person = guarded.get("/system", headers=PAGE)
    assert (person.status_code, person.headers["Location"]) == (303, "/login?next=/system")
    assert "token" in guarded.get("/login").text


def test_the_bearer_token_opens_the_door_and_a_wrong_one_does_not(guarded: TestClient) -> None:
    for token, status in {"sesame": 200, "sesam": 401, "": 401, "sésame": 401}.items():
        headers = {"Authorization": f"Bearer {token}".encode()}
        assert guarded.get("/api/v1/models", headers=headers).status_code == status


def test_the_form_lets_a_browser_in_with_a_cookie_that_does_not_hold_the_token(guarded: TestClient) -> None:
    wrong = guarded.post("/login", data={"token": "open"})
    assert (wrong.status_code, "Set-Cookie" in wrong.headers) == (401, False)

    right = guarded.post("/login", data={"token": "sesame", "next": "/system"})

    assert (right.status_code, right.headers["Location"]) == (303, "/system")
    assert "HttpOnly" in right.headers["Set-Cookie"]
    assert "sesame" not in right.headers["Set-Cookie"]
    assert guarded.get("/api/v1/models").status_code == 200
    guarded.cookies.set(SESSION_COOKIE, "guess", domain="localhost.local")
    guarded.cookies.clear()
    assert guarded.get("/api/v1/models").status_code == 401


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_the_form_leads_to_no_other_site(guarded: TestClient, target: str) -> None:
    answer = guarded.post("/login", data={"token": "sesame", "next": target})
    assert answer.headers["Location"] == "/"


def test_the_form_takes_nothing_in_its_address_for_markup(guarded: TestClient) -> None:
    assert "<script>" not in guarded.get('/login?next="><script>alert(1)</script>').text


def test_a_browser_that_opens_a_page_is_named_once(client: TestClient) -> None:
    first = client.get("/healthz", headers=PAGE)
    assert first.headers["Set-Cookie"].startswith(f"{CLIENT_COOKIE}=")
    assert "HttpOnly" in first.headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/healthz", headers=PAGE).headers
