"""The System page in a real browser: what it tells while the studio works, and what its buttons do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.axe import grave_violations
from tests.ui.conftest import PATIENCE_MS, Server, follow, settled

LONG = {"num_inference_steps": 1000, "num_images": 16}
"""A job that does not end by itself while a test lasts."""


def ask(page: Page, server: Server, words: str, **fields: Any) -> str:
    """Queue a job as this browser's and return its id."""
    return str(page.request.post(f"{server.url}/api/v1/jobs", data={"prompt": words} | fields).json()["id"])


def look(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/system")
    settled(page)
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()


def fact(page: Page, name: str) -> Locator:
    """What the first worker's list says under that name."""
    return page.locator(".worker").first.locator(f"dt:text-is('{name}') + dd")


def worker(server: Server) -> int:
    """The process id of the worker."""
    [one] = [
        child for child in psutil.Process(server.process.pid).children() if "pipeline.jobs.child" in child.cmdline()
    ]
    return one.pid


def once_running(server: Server, job: str) -> dict[str, Any]:
    """The job once its worker has done a step of it: whoever follows it hears of each."""
    with httpx.stream("GET", f"{server.url}/api/v1/jobs/{job}/events", timeout=PATIENCE_MS / 1000) as events:
        states = (server.get(f"/api/v1/jobs/{job}").json() for line in events.iter_lines() if line)
        return next(state for state in states if state["status"] == "running")


def test_the_page_tells_of_worker_machine_queue_checks_and_versions(page: Page, server: Server) -> None:
    look(page, server)
    expect(fact(page, "Model")).to_contain_text("Tiny")
    expect(fact(page, "Process")).to_contain_text(f"{worker(server)}, up ")
    expect(fact(page, "Memory")).to_contain_text("MB")
    expect(page.get_by_role("meter", name="Main memory")).to_be_visible()
    expect(page.get_by_role("meter", name="Disk of pictures")).to_be_visible()
    expect(page.get_by_text("Nothing runs and nothing waits.")).to_be_visible()
    expect(page.locator(".check", has_text="Python")).to_be_visible()
    expect(page.locator("dt:text-is('torch')")).to_be_visible()


def test_the_page_follows_a_job_without_being_asked_again(page: Page, server: Server) -> None:
    look(page, server)
    job = ask(page, server, "watched from afar", **LONG)
    expect(page.locator("ol.line li.mine")).to_contain_text("step")
    expect(fact(page, "Job")).to_have_text("watched from afar")
    page.request.delete(f"{server.url}/api/v1/jobs/{job}")
    expect(page.get_by_text("Nothing runs and nothing waits.")).to_be_visible()


def test_the_log_of_a_job_tells_its_story_without_its_prompt(page: Page, server: Server) -> None:
    follow(server, prompt="not for the log", num_inference_steps=3)
    look(page, server)
    log = page.get_by_role("region", name="Log of the job")
    for words in ("num_inference_steps 3", "Begun by worker 1", "First step done", "Picture 1 saved", "Finished"):
        expect(log).to_contain_text(words)
    expect(log).not_to_contain_text("not for the log")
    written = (server.outputs / ".darkroom" / "studio.log").read_text(encoding="utf-8")
    assert "Picture 1 saved" in written
    assert "not for the log" not in written


def test_the_worker_is_ended_after_a_question_and_its_job_goes_on_in_a_new_one(page: Page, server: Server) -> None:
    job = ask(page, server, "begun twice", num_inference_steps=1000)
    look(page, server)
    expect(page.locator("ol.line li.mine")).to_contain_text("step")
    before = worker(server)

    page.get_by_role("button", name="Give the memory of the worker back").click()
    page.get_by_role("button", name="End the worker").click()

    expect(fact(page, "Process")).to_contain_text("replaced once")
    expect(fact(page, "Process")).not_to_contain_text(str(before))
    state = once_running(server, job)
    assert (state["restarted"], state["error"]) == (True, None)


def test_the_report_names_neither_folders_nor_tokens(page: Page, server: Server) -> None:
    look(page, server)
    page.get_by_text("Report of a problem").click()
    report = page.get_by_test_id("stCode")
    expect(report).to_contain_text("[ok] Outputs folder: [outputs] is writable")
    expect(report).to_contain_text(", torch 2.")
    for private in (str(server.outputs), str(Path.home())):
        assert private not in report.inner_text()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
def test_everybody_can_read_the_page(page: Page, server: Server, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    look(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert grave_violations(page) == []
