"""Every route of the API behind the door: no stranger comes in, no name leads elsewhere, no secret comes out."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from api.alone import app
from api.description import ours
from api.shapes import PROBLEM
from pipeline.studio import Studio
from tests.api.conftest import StillStudio, client_of

OPERATIONS = [pytest.param(*found, id=found[2]["operationId"]) for found in ours(app.openapi())]
each_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
TRICKS = (
    *("..%2f..%2fstudio.db", "..%5c..%5cstudio.db", "%2fetc%2fpasswd", "%2e%2e", "....%2f%2f", "C:%5cWindows"),
    *("x%00.png", "%00", "%0d%0aSet-Cookie:%20a=b", "%ff%fe", "%F0%9F%92%A5", "x" * 5000, "'%20OR%201=1--", "%2a"),
)
TOKEN, HUB_TOKEN = "open-sesame-4711", "hf_verysecretindeed"


@pytest.fixture(scope="module")
def web(still: StillStudio) -> TestClient:
    return client_of(still)


def asked(client: TestClient, path: str, method: str, operation: dict[str, Any], **more: Any) -> Any:
    """The answer to an operation's example."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return client.request(method, path, json=body["example"] if body else None, **more)


@each_operation
def test_no_page_from_elsewhere_and_no_other_host_uses_a_route(
    path: str, method: str, operation: dict[str, Any], web: TestClient
) -> None:
    if path == "/healthz":
        return
    foreign = asked(web, path, method, operation, headers={"Origin": "https://evil.example"})
    rebound = asked(web, path, method, operation, headers={"Host": "evil.example"})
    assert (foreign.status_code, rebound.status_code) == (403, 421)
    for answer in (foreign, rebound):
        assert answer.headers["Content-Type"] == PROBLEM
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[TestClient]:
    """A client of a studio that asks for a token, and whose workers never start."""
    from tests.conftest import tiny_settings

    studio = StillStudio(tiny_settings(tmp_path_factory.mktemp("locked"), tiny_checkpoint, token=TOKEN))
    yield client_of(studio)
    studio.close()


@each_operation
def test_without_the_token_no_route_answers(
    path: str, method: str, operation: dict[str, Any], locked: TestClient
) -> None:
    if path == "/healthz":
        return
    for headers in ({}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": f"darkroom_session={TOKEN}"}):
        answer = asked(locked, path, method, operation, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_needed")
        assert TOKEN not in answer.text


@each_operation
def test_no_name_in_an_address_leads_anywhere(
    path: str, method: str, operation: dict[str, Any], web: TestClient, still: StillStudio
) -> None:
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    before = files(still.settings.outputs.parent)
    for trick in TRICKS if names else ():
        address = path
        for name in names:
            address = address.replace(f"{{{name}}}", trick)
        answer = web.request(method, address, json=body["example"] if body else None)
        assert answer.status_code in {404, 405, 422}, (address[:80], answer.text[:200])
        assert answer.headers["Content-Type"] == PROBLEM
        assert "a" not in answer.cookies
        assert len(answer.content) < 10_000
    assert files(still.settings.outputs.parent) == before


def files(folder: Path) -> set[str]:
    """All below a folder, but for what the database keeps beside itself."""
    return {str(path) for path in folder.rglob("*") if not path.name.startswith("studio.db")}


def bomb(chunk: bytes) -> bytes:
    """A small PNG whose text grows to a hundred megabytes when it is read."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    data = chunk + b"\0\0" + zlib.compress(b"x" * 100_000_000, 9)
    length, name = len(data).to_bytes(4, "big"), b"zTXt"
    whole = picture.getvalue()
    return whole[:33] + length + name + data + zlib.crc32(name + data).to_bytes(4, "big") + whole[33:]


@pytest.mark.parametrize("key", [b"parameters", b"darkroom", b"darkroom-comparison"])
@pytest.mark.parametrize("path", ["/api/v1/images/settings", "/api/v1/comparisons/read"])
def test_text_that_grows_without_end_is_refused(web: TestClient, path: str, key: bytes) -> None:
    answer = web.post(path, content=bomb(key))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_more_jobs_than_may_wait_are_refused_until_some_are_gone(make_settings: Callable[..., Any]) -> None:
    studio = StillStudio(make_settings(max_queue=3, max_queue_per_client=2))
    client = client_of(studio)
    for who, statuses in (("ann", [202, 202, 429]), ("ben", [202, 429])):
        client.cookies.set("darkroom_client", who)
        answers = [client.post("/api/v1/jobs", json={"prompt": "a boat"}) for _ in statuses]
        assert [answer.status_code for answer in answers] == statuses
        assert (answers[-1].json()["code"], answers[-1].headers["Retry-After"]) == ("queue_full", "10")
    client.delete(f"/api/v1/jobs/{answers[0].json()['id']}")
    assert client.post("/api/v1/jobs", json={"prompt": "a boat"}).status_code == 202
    studio.close()


def test_no_secret_is_in_an_answer_a_file_or_a_log(
    make_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", HUB_TOKEN)
    settings = make_settings(token=TOKEN, preload=False)
    with Studio(settings, persistent=True) as studio:
        client = client_of(studio)
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        job = client.post("/api/v1/jobs", json={"prompt": "a boat", "num_inference_steps": 1}).json()
        told = [client.get(f"/api/v1/jobs/{job['id']}/events").text, str(studio.settings), repr(studio.settings)]
        paths = ("jobs", f"jobs/{job['id']}/log", "images", "studio", "doctor", "workers", "models", "nothing")
        told += [client.get(f"/api/v1/{path}").text for path in paths]
        told.append(client.post("/api/v1/jobs", json={"prompt": TOKEN[::-1], "seed": "x"}).text)
        kept = [path.read_bytes() for path in settings.outputs.rglob("*") if path.is_file()]
    assert any(b"a boat" in data for data in kept)
    for secret in (TOKEN, HUB_TOKEN):
        assert not [text for text in (*told, caplog.text) if secret in text]
        assert not [data for data in kept if secret.encode() in data]


def test_a_png_of_the_studio_carries_no_path_of_this_computer(still: StillStudio) -> None:
    from tests.gallery.pictures import at

    saved = still.gallery.save(at(0), "job")
    assert saved.path is not None
    with Image.open(saved.path) as image:
        texts = " ".join(str(text) for text in image.info.values() if not isinstance(text, PngInfo))
    assert os.fspath(still.settings.outputs) not in texts
