"""The page that makes pictures, in a real browser, with a real worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.gallery.metadata import read_recipe
from tests.ui.conftest import Server, settled

LONG = {"num_inference_steps": 1000, "num_images": 16}
"""A job that does not end by itself while a test lasts."""


def prompt(page: Page) -> Locator:
    return page.get_by_label("Prompt", exact=True)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


def generate(page: Page, words: str) -> None:
    prompt(page).fill(words)
    button(page, "Generate image").click()


def shown(page: Page, words: str) -> Locator:
    """The picture on the table, which has its prompt for a description."""
    return page.locator(f'.print img[alt="{words}"]')


def begin_long_job(page: Page, server: Server, words: str) -> str:
    """Queue a job that lasts as this browser's, look at it, and return its id once it has begun to denoise.

    The form begins with the last request, so a short one follows, which is cancelled at once.
    """
    long, short = (
        page.request.post(f"{server.url}/api/v1/jobs", data={"prompt": words} | fields).json()["id"]
        for fields in (LONG, {"num_inference_steps": 2})
    )
    page.request.delete(f"{server.url}/api/v1/jobs/{short}")
    page.goto(f"{server.url}/?job={long}")
    settled(page)
    expect(page.locator(".left")).to_contain_text("step")
    return str(long)


def jobs(server: Server, words: str) -> list[dict[str, Any]]:
    return [job for job in server.get("/api/v1/jobs?limit=500").json() if job["request"]["prompt"] == words]


def test_a_prompt_becomes_a_picture_and_the_page_tells_how_far_it_is(page: Page, server: Server) -> None:
    generate(page, "a boat at dawn")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(shown(page, "a boat at dawn")).to_be_visible()
    assert shown(page, "a boat at dawn").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    [job] = jobs(server, "a boat at dawn")
    assert job["images"][0]["path"] in page.locator(".path").inner_text()


def test_an_empty_prompt_is_refused_under_its_field_and_nothing_is_queued(page: Page, server: Server) -> None:
    before = len(server.get("/api/v1/jobs?limit=500").json())
    generate(page, "   ")
    expect(page.get_by_role("alert").filter(has_text="The prompt is empty.")).to_be_visible()
    assert len(server.get("/api/v1/jobs?limit=500").json()) == before


def test_a_prompt_longer_than_the_model_reads_is_announced(page: Page) -> None:
    prompt(page).fill("mountains " * 40)
    prompt(page).blur()
    expect(page.locator(".tokens.over")).to_contain_text("the model reads the first 32")


def test_the_shortcut_generates_with_what_was_just_typed(page: Page) -> None:
    prompt(page).fill("a road by night")
    page.keyboard.press("Control+Enter")
    expect(shown(page, "a road by night")).to_be_visible()


def test_a_running_job_can_be_cancelled_and_the_next_one_finishes(page: Page, server: Server) -> None:
    job_id = begin_long_job(page, server, "something long")
    button(page, "Cancel").click()
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert server.get(f"/api/v1/jobs/{job_id}").json()["status"] == "cancelled"

    generate(page, "something short")
    expect(shown(page, "something short")).to_be_visible()


def test_several_pictures_come_one_by_one_and_each_can_be_looked_at(page: Page) -> None:
    page.get_by_role("radio", name="2", exact=True).or_(page.get_by_role("button", name="2", exact=True)).click()
    settled(page)
    generate(page, "two trees")
    sheet = page.get_by_role("group", name="Pictures of this job").get_by_role("button")
    expect(sheet).to_have_count(2)
    first = shown(page, "two trees").get_attribute("src")

    sheet.nth(1).click()

    expect(sheet.nth(1)).to_have_attribute("aria-pressed", "true")
    assert shown(page, "two trees").get_attribute("src") != first


def test_the_download_carries_its_recipe(page: Page) -> None:
    generate(page, "a castle")
    expect(shown(page, "a castle")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PNG").click()
    recipe = read_recipe(download.value.path())
    assert recipe is not None
    assert recipe.prompt == "a castle"


def test_reusing_the_settings_of_a_picture_makes_the_same_picture_again(page: Page, server: Server) -> None:
    generate(page, "a windmill")
    expect(shown(page, "a windmill")).to_be_visible()
    prompt(page).fill("another thing")
    prompt(page).blur()

    button(page, "Reuse these settings").click()

    expect(prompt(page)).to_have_value("a windmill")
    [first] = jobs(server, "a windmill")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(first["seed"]))
    button(page, "Generate image").click()
    expect(page.locator(".path")).not_to_have_text(first["images"][0]["path"])
    made = [job["images"][0]["recipe"]["sha256"] for job in jobs(server, "a windmill")]
    assert len(made) == 2
    assert len(set(made)) == 1


def test_a_seed_is_kept_and_given_back_to_chance(page: Page, server: Server) -> None:
    generate(page, "a stone")
    expect(shown(page, "a stone")).to_be_visible()
    [job] = jobs(server, "a stone")
    seed = page.get_by_label("Seed", exact=True)
    expect(seed).to_have_value("-1")
    button(page, "Keep this seed").click()
    expect(seed).to_have_value(str(job["seed"]))
    button(page, "Random seed").click()
    expect(seed).to_have_value("-1")


def test_a_refresh_in_mid_job_finds_the_job_and_the_prompt_again(page: Page, server: Server) -> None:
    begin_long_job(page, server, "a long winter")
    page.goto(server.url)
    settled(page)
    expect(page.locator(".left")).to_contain_text("step")
    expect(prompt(page)).to_have_value("a long winter")
    button(page, "Cancel").click()
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_a_second_tab_sees_the_job_and_its_end(page: Page, server: Server, open_page: Callable[..., Page]) -> None:
    begin_long_job(page, server, "a long summer")
    other = open_page(page.context)
    expect(other.locator(".left")).to_contain_text("step")
    button(other, "Cancel").click()
    for tab in (page, other):
        expect(tab.get_by_role("progressbar")).to_be_hidden()


def test_a_lost_connection_is_told_and_taken_up_again(page: Page, server: Server) -> None:
    begin_long_job(page, server, "a long wire")
    page.route("**/events", lambda route: route.abort())
    page.route("**/api/v1/jobs/*", lambda route: route.abort())
    page.reload()
    expect(page.locator(".status")).to_contain_text("The connection is lost")
    page.unroute_all()
    expect(page.locator(".left")).to_contain_text("step")
    button(page, "Cancel").click()
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_a_killed_worker_is_told_and_the_next_job_works(page: Page, server: Server) -> None:
    begin_long_job(page, server, "doomed")
    [worker] = [
        child for child in psutil.Process(server.process.pid).children() if "child" in " ".join(child.cmdline())
    ]
    os.kill(worker.pid, signal.SIGKILL)
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(button(page, "Retry")).to_be_visible()

    generate(page, "saved")
    expect(shown(page, "saved")).to_be_visible()


def test_two_clients_at_once_see_their_own_jobs_and_both_get_their_picture(
    page: Page, open_page: Callable[..., Page]
) -> None:
    other = open_page()
    generate(page, "mine")
    generate(other, "yours")
    expect(shown(page, "mine")).to_be_visible()
    expect(shown(other, "yours")).to_be_visible()


@pytest.mark.parametrize("gap_ms", [0, 40, 250])
def test_a_double_click_starts_one_job(page: Page, server: Server, gap_ms: int) -> None:
    words = f"clicked twice within {gap_ms} ms"
    prompt(page).fill(words)
    prompt(page).blur()
    settled(page)
    button(page, "Generate image").evaluate(
        "(button, gap) => { button.click(); setTimeout(() => button.click(), gap) }", gap_ms
    )
    expect(shown(page, words)).to_be_visible()
    assert len(jobs(server, words)) == 1


def test_the_page_stays_usable_while_a_job_runs_and_lists_what_waits(page: Page, server: Server) -> None:
    begin_long_job(page, server, "in front")
    generate(page, "behind")
    row = page.locator(".row", has_text="behind")
    expect(row).to_be_visible()
    button(page, "Cancel “behind”").click()
    expect(row).to_be_hidden()
    assert jobs(server, "behind")[0]["status"] == "cancelled"
    page.locator(".st-key-cancel").get_by_role("button").click()
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_an_unknown_job_in_the_address_is_told_in_a_sentence(open_page: Callable[..., Page]) -> None:
    page = open_page(path="/?job=nobody")
    expect(page.get_by_test_id("stAlert")).to_contain_text("may have been deleted")
    expect(button(page, "Generate image")).to_be_enabled()


def test_markup_in_a_prompt_is_shown_as_it_was_typed(page: Page) -> None:
    words = "<img src=x onerror=alert(1)> **bold** $x$ :red[x]"
    generate(page, words)
    expect(page.locator(".print img")).to_have_attribute("alt", words)
    expect(page.get_by_test_id("stHtml").locator("p.prompt")).to_have_text(words)


def test_an_example_fills_the_prompt_of_a_newcomer_and_is_made(page: Page) -> None:
    words = "a red sailboat on a lake at sunset"
    button(page, words).click()
    expect(prompt(page)).to_have_value(words)
    expect(page.locator(f'.print img[alt="{words}"]')).to_be_visible()


def test_the_form_survives_a_visit_to_the_other_page(page: Page) -> None:
    prompt(page).fill("remember me")
    prompt(page).blur()
    settled(page)
    page.get_by_role("link", name="System").click()
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    page.get_by_role("link", name="Create").click()
    expect(prompt(page)).to_have_value("remember me")
