"""The list of a person's other jobs beside the picture, in a real browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.ui.axe import grave_violations
from tests.ui.conftest import Server, settled

LONG = {"num_inference_steps": 1000, "num_images": 16}
"""A job that does not end by itself while a test lasts."""


def queue_up(page: Page, server: Server, *prompts: str, **fields: Any) -> list[str]:
    """Queue a long job and then one for each of `prompts` as this browser's; look at the page once the first one has
    begun, and return the ids."""
    ids = [
        page.request.post(f"{server.url}/api/v1/jobs", data={"prompt": words} | LONG | fields).json()["id"]
        for words in ("in front", *prompts)
    ]
    page.goto(f"{server.url}/")
    settled(page)
    expect(page.locator(".left")).to_contain_text("step")
    return ids


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Your other jobs").get_by_role("listitem")


def words(page: Page) -> Locator:
    return page.get_by_role("region", name="Your other jobs").locator(".words")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def status(server: Server, job_id: str) -> str:
    return str(server.get(f"/api/v1/jobs/{job_id}").json()["status"])


def test_a_waiting_job_is_moved_up_and_down_by_keyboard_and_keeps_the_focus(page: Page, server: Server) -> None:
    queue_up(page, server, "one", "two", "three")
    expect(words(page)).to_have_text(["one", "two", "three"])
    expect(button(page, "Move “one” up")).to_be_disabled()
    expect(button(page, "Move “three” down")).to_be_disabled()

    up = button(page, "Move “three” up")
    up.focus()
    page.keyboard.press("Enter")

    expect(words(page)).to_have_text(["one", "three", "two"])
    expect(up).to_be_focused()
    page.keyboard.press("Enter")
    expect(words(page)).to_have_text(["three", "one", "two"])
    button(page, "Move “three” down").click()
    expect(words(page)).to_have_text(["one", "three", "two"])
    waiting = [job for job in server.get("/api/v1/jobs").json() if job["status"] == "queued"]
    by_place = sorted(waiting, key=lambda job: job["position"])
    assert [job["request"]["prompt"] for job in by_place] == ["one", "three", "two"]
    assert grave_violations(page) == []


def test_a_waiting_job_is_cancelled_from_the_list(page: Page, server: Server) -> None:
    _, one, two = queue_up(page, server, "one", "two")
    button(page, "Cancel “one”").click()
    expect(words(page)).to_have_text(["two"])
    assert (status(server, one), status(server, two)) == ("cancelled", "queued")


def test_all_of_ones_jobs_are_cancelled_after_a_second_click(page: Page, server: Server) -> None:
    ids = queue_up(page, server, "one", "two", "three")
    button(page, "Cancel all of mine").click()
    assert status(server, ids[-1]) == "queued"
    button(page, "Really cancel all?").click()
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert {status(server, job_id) for job_id in ids} == {"cancelled"}


def test_a_long_list_shows_its_beginning_and_all_of_it_when_asked(page: Page, server: Server) -> None:
    queue_up(page, server, *(f"job {number}" for number in range(40)))
    expect(rows(page)).to_have_count(8)
    button(page, "and 32 more").click()
    expect(rows(page)).to_have_count(40)
    button(page, "Show fewer").click()
    expect(rows(page)).to_have_count(8)


def test_pictures_and_another_model_are_told(page: Page, server: Server) -> None:
    queue_up(page, server, "one", model="plain", num_images=3)
    page.request.post(f"{server.url}/api/v1/jobs", data={"prompt": "newest"})
    page.reload()  # the form has the newest one's model
    settled(page)
    expect(rows(page).filter(has_text="one")).to_contain_text("plain · 3 pictures")


def test_on_a_phone_the_list_can_be_used(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    queue_up(page, server, "one", "two")
    button(page, "Move “two” up").click()
    expect(words(page)).to_have_text(["two", "one"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert grave_violations(page) == []
