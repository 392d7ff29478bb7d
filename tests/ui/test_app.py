"""The application as a process: how it starts, who it refuses, how it leaves."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from api.serving import set_up_the_server
from pipeline.jobs import claim
from tests.conftest import tiny_settings
from tests.ui.conftest import PATIENCE_MS, ROOT, Server, settled, start, stop


@pytest.fixture
def locked(tmp_path: Path, tiny_checkpoint: Path) -> Iterator[Server]:
    """A studio that asks for the token `sesame`."""
    server = start(tiny_settings(tmp_path, tiny_checkpoint), DARKROOM_TOKEN="sesame", DARKROOM_PRELOAD="false")
    yield server
    stop(server)


def refused(**environment: str) -> str:
    """What a studio prints that must not start."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_MS / 1000,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr + done.stdout


def test_a_second_studio_on_the_same_folder_is_refused_in_a_sentence(server: Server) -> None:
    printed = refused(DARKROOM_OUTPUTS=str(server.outputs), DARKROOM_MODEL="tiny")
    assert f"process {server.process.pid}" in printed
    assert "DARKROOM_OUTPUTS" in printed


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    assert "DARKROOM_MAX_QUEUE" in refused(DARKROOM_OUTPUTS=str(tmp_path), DARKROOM_MAX_QUEUE="many")


def test_the_web_process_never_loads_torch(server: Server) -> None:
    loaded = {Path(mapped.path).name for mapped in psutil.Process(server.process.pid).memory_maps()}
    assert not [name for name in loaded if name.startswith("libtorch")]


def test_no_page_brings_pandas_and_its_seventy_megabytes_in(page: Page, server: Server) -> None:
    [made] = server.get("/api/v1/images?limit=1").json()["images"]
    chosen = f"?image={made['id']}"
    for address in (f"/{chosen}", "/gallery", f"/gallery{chosen}", "/compare", "/models", "/system"):
        page.goto(server.url + address)
        settled(page)
    mapped = [Path(mapped.path) for mapped in psutil.Process(server.process.pid).memory_maps()]
    assert not [path for path in mapped if {"pandas", "pyarrow"} & set(path.parts)]


def test_the_terminal_is_told_which_model_runs_and_what_computes(page: Page, server: Server) -> None:
    page.get_by_role("link", name="System").click()
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    assert "Model: Tiny." in server.log
    assert "GPU" in server.log


def test_the_studio_leaves_when_asked_although_a_browser_listens(tmp_path: Path, tiny_checkpoint: Path) -> None:
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    server = start(settings)
    assert claim.address(settings) == server.url.replace("localhost", "127.0.0.1")
    job = httpx.post(f"{server.url}/api/v1/jobs", json={"prompt": "a boat", "num_inference_steps": 1000}).json()
    workers = psutil.Process(server.process.pid).children(recursive=True)
    with httpx.stream("GET", f"{server.url}/api/v1/jobs/{job['id']}/events", timeout=PATIENCE_MS / 1000) as events:
        next(events.iter_lines())
        stop(server)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    assert claim.address(settings) is None


def visited(answers: Any) -> None:
    """Serve one visit as `streamlit run` does it, and tell the option of its connection; the server is found as in the
    real one, by who hears SIGTERM."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        set_up_the_server()
        yield

    server = uvicorn.Server(uvicorn.Config(FastAPI(lifespan=lifespan), log_level="warning"))

    def visit(port: int) -> None:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=PATIENCE_MS / 1000) as visitor:
            visitor.get(f"http://127.0.0.1:{port}/")
            [protocol] = server.server_state.connections
            connection = protocol.transport.get_extra_info("socket")
            answers.put(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        server.should_exit = True

    with socket.create_server(("127.0.0.1", 0)) as listener:
        visitor = threading.Thread(target=visit, args=(listener.getsockname()[1],))
        visitor.start()
        server.run(sockets=[listener])
        visitor.join()


def test_answers_go_out_at_once_although_the_socket_was_bound_before() -> None:
    spawn = multiprocessing.get_context("spawn")  # a process of its own: the browser's driver has a loop in this one
    answers = spawn.Queue()
    child = spawn.Process(target=visited, args=(answers,))
    child.start()
    assert answers.get(timeout=PATIENCE_MS / 1000) == 1
    child.join()


def test_a_person_comes_in_with_the_token_and_finds_the_page(browser: Browser, locked: Server) -> None:
    page = browser.new_page()
    page.goto(f"{locked.url}/system")
    expect(page).to_have_url(f"{locked.url}/login?next=/system")
    page.get_by_label("This studio asks for its token.").fill("open")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    page.get_by_label("This studio asks for its token.").fill("sesame")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    page.close()
