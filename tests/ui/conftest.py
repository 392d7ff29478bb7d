"""The studio as people run it, with a tiny checkpoint, and a browser to use it with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from pipeline.settings import Settings
from tests.browser import launched
from tests.conftest import free_port, tiny_settings, variables

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 180_000
"""The longest that anything on the page may take, on a slow and busy machine."""

QUIET_MS = 200
"""How long a page must say that nothing runs to be at rest."""

_AT_REST = """quiet => {
    const runs = document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning";
    const waits = document.querySelector("[data-testid=stSkeleton]") !== null;
    const now = performance.now();
    if (runs || waits || window.restingSince === undefined) window.restingSince = now;
    return now - window.restingSince >= quiet;
}"""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True, slots=True)
class Server:
    """A running studio."""

    url: str
    outputs: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.outputs.parent / "server.log").read_text(encoding="utf-8")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE_MS / 1000)


def start(settings: Settings, **environment: str) -> Server:
    """Start the studio on a free port, with the folders and model of `settings`, and wait until it answers."""
    settings.outputs.parent.mkdir(parents=True, exist_ok=True)
    port, own = free_port(), variables(settings)
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with (settings.outputs.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own | environment, stdout=log, stderr=log)
    url = f"http://localhost:{port}"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=PATIENCE_MS / 1000) as patient:
        assert patient.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
    return Server(url, settings.outputs, process)


def follow(server: Server, **fields: Any) -> None:
    """Have a picture made and wait for it."""
    job = httpx.post(f"{server.url}/api/v1/jobs", json={"prompt": "warming up"} | fields).json()
    httpx.get(f"{server.url}/api/v1/jobs/{job['id']}/events", timeout=300)


def cancel_all(server: Server) -> None:
    """Leave no job behind for the next test to wait for."""
    for job in server.get("/api/v1/jobs?limit=500").json():
        if job["finished_at"] is None:
            httpx.delete(f"{server.url}/api/v1/jobs/{job['id']}", timeout=PATIENCE_MS / 1000)


def stop(server: Server) -> None:
    """End it as a service manager does; it must leave by itself, and no error of its own may have gone unnoticed."""
    server.process.terminate()
    assert server.process.wait(30) is not None
    assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    server = start(tiny_settings(tmp_path_factory.mktemp("ui"), tiny_checkpoint))
    follow(server, num_inference_steps=1)
    yield server
    stop(server)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens the studio for a new client: `open_page()`; or a second tab of the same: `open_page(page.context)`.

    Whatever the console calls an error, and any request to another host, fails the test.
    """
    contexts, complaints = [], list[str]()

    def open_it(context: object = None, path: str = "/") -> Page:
        if context is None:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.set_default_timeout(PATIENCE_MS)
            contexts.append(context)
        page = watched(context.new_page(), complaints)
        page.goto(server.url + path)
        settled(page)
        return page

    yield open_it
    for context in contexts:
        context.close()
    cancel_all(server)
    assert complaints == [], server.log


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


def watched(page: Page, complaints: list[str]) -> Page:
    """`page`; whatever its console calls an error, and any request to another host, is added to `complaints`."""
    page.on("console", lambda message: _is_complaint(message) and complaints.append(_told(message)))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: _is_outside(request.url) and complaints.append(f"asked for {request.url}"))
    return page


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn the page, and fetched the code of all that is on it: a click is on its way for a
    moment before the page says that it runs."""
    page.wait_for_selector("[data-testid=stMain] [data-testid=stElementContainer]", state="attached")
    page.evaluate("window.restingSince = undefined")
    page.wait_for_function(_AT_REST, arg=QUIET_MS)


def comes_true(page: Page, path: str, condition: str) -> None:
    """Wait until what the API answers at `path` fulfils `condition`, a JavaScript function of its JSON."""
    page.wait_for_function(f"async path => ({condition})(await (await fetch(path)).json())", arg=path, polling=100)


def _is_complaint(message: ConsoleMessage) -> bool:
    """Errors, but for the requests that a test itself cut off."""
    return message.type == "error" and "net::ERR_FAILED" not in message.text


def _told(message: ConsoleMessage) -> str:
    """What the console says and about which address: that of a refused request stands in no text."""
    return f"{message.text} ({message.location['url']})"


def _is_outside(url: str) -> bool:
    return not url.startswith(("http://localhost:", "ws://localhost:", "data:", "blob:"))
