"""Several people at once, each with a browser of their own: what each sees, and what nobody else may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.conftest import Server, settled

OpenPage = Callable[..., Page]
LONG = {"num_inference_steps": 1000, "num_images": 16}
"""A job that does not end by itself while a test lasts."""


@pytest.fixture
def ann(open_page: OpenPage) -> Page:
    return open_page()


@pytest.fixture
def ben(open_page: OpenPage) -> Page:
    return open_page()


def ask(page: Page, server: Server, words: str, **fields: Any) -> str:
    """Queue a job as this browser's and return its id."""
    return str(page.request.post(f"{server.url}/api/v1/jobs", data={"prompt": words} | fields).json()["id"])


def made(page: Page, server: Server, words: str) -> str:
    """Have a picture made as this browser's and return its id."""
    job = ask(page, server, words, num_inference_steps=1)
    page.request.get(f"{server.url}/api/v1/jobs/{job}/events")
    return str(server.get(f"/api/v1/jobs/{job}").json()["images"][0]["id"])


def look(page: Page, server: Server, path: str = "/") -> None:
    page.goto(server.url + path)
    settled(page)


def prompt(page: Page) -> Locator:
    return page.get_by_label("Prompt", exact=True)


def status(server: Server, job: str) -> str:
    return str(server.get(f"/api/v1/jobs/{job}").json()["status"])


def test_each_person_follows_their_own_job_and_hears_of_others_only_as_a_number(
    ann: Page, ben: Page, server: Server
) -> None:
    anns = ask(ann, server, "a secret of ann", **LONG)
    bens, more = (ask(ben, server, f"a secret of ben, {part}", **LONG) for part in ("one", "two"))
    for page in (ann, ben):
        look(page, server)

    expect(ann.locator(".tray .prompt")).to_have_text("a secret of ann")
    expect(ben.locator(".tray .prompt")).to_have_text("a secret of ben, one")
    expect(ben.locator(".others")).to_have_text("One job of somebody else comes before your next one.")
    for page, other in ((ann, "ben"), (ben, "ann")):
        expect(page.locator("body")).not_to_contain_text(f"a secret of {other}")

    ann.get_by_role("button", name="Cancel", exact=True).click()
    expect(ann.get_by_role("progressbar")).to_have_count(0)
    assert status(server, anns) == "cancelled"
    assert {status(server, bens), status(server, more)}.isdisjoint({"cancelled", "failed"})
    expect(ben.locator(".left")).to_contain_text("step")


def test_what_one_types_never_appears_in_anothers_form(ann: Page, ben: Page, server: Server) -> None:
    prompt(ann).fill("only ann may know")
    prompt(ann).blur()
    settled(ann)
    ask(ann, server, "ann asked for this", num_inference_steps=1)
    look(ben, server)
    expect(prompt(ben)).to_have_value("")
    prompt(ben).fill("ben's own")
    prompt(ben).blur()
    settled(ben)
    ben.reload()
    settled(ben)
    assert "ann" not in prompt(ben).input_value()
    ann.reload()
    settled(ann)
    expect(prompt(ann)).to_have_value("ann asked for this")


def test_a_link_to_anothers_job_shows_it_without_a_way_to_cancel_it(ann: Page, ben: Page, server: Server) -> None:
    job = ask(ann, server, "shown to a friend", **LONG)
    look(ben, server, f"/?job={job}")
    expect(ben.locator(".tray .prompt")).to_have_text("shown to a friend")
    expect(ben.get_by_text("Somebody else asked for this picture.")).to_be_visible()
    expect(ben.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(prompt(ben)).to_have_value("")
    look(ann, server, f"/?job={job}")
    expect(ann.get_by_role("button", name="Cancel", exact=True)).to_be_visible()


def test_two_tabs_of_one_person_share_their_jobs_and_a_third_person_does_not(
    ann: Page, ben: Page, server: Server, open_page: OpenPage
) -> None:
    ask(ann, server, "in both tabs", **LONG)
    second = open_page(ann.context)
    expect(second.locator(".tray .prompt")).to_have_text("in both tabs")
    look(ben, server)
    expect(ben.locator(".tray")).to_have_count(0)


def test_a_deleted_picture_is_gone_for_others_at_their_next_look_and_back_when_it_is_restored(
    ann: Page, ben: Page, server: Server
) -> None:
    image = made(ann, server, "seen by two")
    look(ben, server, "/gallery")
    picture = ben.locator(f'img[src*="{image}"]')
    expect(picture.first).to_be_visible()

    ann.request.delete(f"{server.url}/api/v1/images/{image}")
    look(ben, server, "/gallery")
    expect(picture).to_have_count(0)

    ann.request.post(f"{server.url}/api/v1/images/{image}/restore")
    look(ben, server, "/gallery")
    expect(picture.first).to_be_visible()


def test_a_rating_is_seen_by_others_at_their_next_look(ann: Page, ben: Page, server: Server) -> None:
    image = made(ann, server, "rated by ann")
    ann.request.patch(f"{server.url}/api/v1/images/{image}", data={"rating": 4, "favourite": True})
    look(ben, server, f"/gallery?image={image}")
    expect(ben.get_by_role("radio", name="4 out of 5 stars")).to_be_checked()
    expect(ben.get_by_role("button", name="♥ Favourite")).to_be_visible()


def test_the_system_page_tells_nobody_what_others_ask_for(ann: Page, ben: Page, server: Server) -> None:
    ask(ann, server, "a secret on the system page", **LONG)
    look(ben, server, "/system")
    expect(ben.locator("ol.line li").first).to_contain_text("somebody’s job")
    expect(ben.locator("body")).not_to_contain_text("a secret on the system page")
    look(ann, server, "/system")
    expect(ann.locator("ol.line li.mine")).to_contain_text("a secret on the system page")
