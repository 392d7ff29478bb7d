"""A chain in a real browser: put together, run as one job, kept under a name and taken again."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.ui.axe import grave_violations
from tests.ui.conftest import Server, settled


def click(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settled(page)


def test_pictures_are_handed_on_and_the_chain_is_kept(
    page: Page, server: Server, open_page: Callable[..., Page]
) -> None:
    page.get_by_label("Prompt", exact=True).fill("a chain of houses")
    page.get_by_text("Hand it on to another model").click()
    click(page, "Add a stage")
    click(page, "Add a stage")
    page.get_by_label("Other words").nth(1).fill("a house of chains")
    page.get_by_label("Other words").nth(1).blur()
    settled(page)
    assert grave_violations(page) == []
    click(page, "Take stage 2 out")
    page.get_by_role("button", name="Generate image").click()
    made = page.locator('.print img[alt="a house of chains"]')
    expect(made).to_be_visible()
    [job] = [one for one in server.get("/api/v1/jobs").json() if one["request"]["prompt"] == "a chain of houses"]
    first, last = job["images"]
    assert last["recipe"]["image"].startswith(first["recipe"]["sha256"])
    expect(made).to_have_attribute("src", f"/api/v1/images/{last['id']}/file")

    page.get_by_role("button", name="Kept chains").click()
    settled(page)
    page.get_by_label("Name for this one").fill("../no")
    page.keyboard.press("Enter")
    click(page, "Keep this chain")
    expect(page.get_by_role("alert").filter(has_text="cannot name a chain")).to_be_visible()
    page.get_by_label("Name for this one").fill("Two houses")
    page.keyboard.press("Enter")
    click(page, "Keep this chain")
    expect(page.get_by_role("button", name="Two houses", exact=True)).to_be_visible()

    other = open_page()
    other.get_by_label("Prompt", exact=True).fill("a third house")
    other.get_by_text("Hand it on to another model").click()
    other.get_by_role("button", name="Kept chains").click()
    click(other, "Two houses")
    expect(other.get_by_label("Other words")).to_have_value("a house of chains")
    expect(other.get_by_label("Prompt", exact=True)).to_have_value("a third house")
    other.get_by_role("button", name="Kept chains").click()
    settled(other)
    click(other, "Forget “Two houses”")
    expect(other.get_by_text("None is kept yet.")).to_be_visible()
