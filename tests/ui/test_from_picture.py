"""Working from a picture in a real browser: brought along, changed, extended, enlarged, and put away."""

from __future__ import annotations

from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.axe import grave_violations
from tests.ui.bring import bring, png, slope
from tests.ui.conftest import Server, settled

UPLOADER = "A picture to work from"


def generate(page: Page, words: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(words)
    page.get_by_role("button", name="Generate image").click()


def shown(page: Page, words: str) -> Any:
    return page.locator(f'.print img[alt="{words}"]')


def job(server: Server, words: str) -> dict[str, Any]:
    [found] = [one for one in server.get("/api/v1/jobs?limit=500").json() if one["request"]["prompt"] == words]
    return dict(found)


def test_a_picture_is_brought_along_changed_extended_and_put_away(page: Page, server: Server) -> None:
    page.get_by_text("Start from a picture").click()
    bring(page, UPLOADER, png(slope(80, 48)))
    card = page.get_by_alt_text("The picture to work from")
    expect(card).to_be_visible()
    expect(page.locator("[data-testid=stSidebar] .source")).to_contain_text("80 × 48")

    generate(page, "a changed slope")
    expect(shown(page, "a changed slope")).to_be_visible()
    changed = job(server, "a changed slope")
    assert changed["request"]["image"].endswith("-80x48")
    assert changed["images"][0]["recipe"]["strength"] == 0.6

    page.get_by_role("radio", name="Extend").click()
    settled(page)
    generate(page, "nowhere to go")
    expect(page.get_by_role("alert").filter(has_text="No side is extended yet.")).to_be_visible()
    page.get_by_role("button", name="+ 25 %").click()
    expect(page.get_by_text("Becomes 112 × 80")).to_be_visible()
    settled(page)
    for side in ("Left", "Top", "Bottom"):
        page.get_by_label(side).fill("0")
        page.get_by_label(side).blur()
        settled(page)
    page.get_by_label("Right").fill("16")
    page.get_by_label("Right").blur()
    expect(page.get_by_text("Becomes 96 × 48")).to_be_visible()
    settled(page)
    assert grave_violations(page) == []
    generate(page, "a longer slope")
    expect(shown(page, "a longer slope")).to_have_attribute("width", "96")

    page.get_by_role("button", name="Work without it").click()
    expect(card).to_be_hidden()
    generate(page, "no slope")
    expect(shown(page, "no slope")).to_be_visible()
    assert job(server, "no slope")["request"]["image"] is None


def test_a_file_that_is_of_no_use_is_told_under_its_field_and_nothing_is_queued(page: Page, server: Server) -> None:
    before = len(server.get("/api/v1/jobs?limit=500").json())
    page.get_by_text("Start from a picture").click()
    for data, sentence in (
        (b"only words", "This file is not a picture that can be read"),
        (png(Image.new("RGB", (1, 1))), "too small to work from"),
        (png(Image.new("1", (20_000, 16))), "more than the studio takes"),
    ):
        bring(page, UPLOADER, data)
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
        settled(page)
    expect(page.get_by_alt_text("The picture to work from")).to_be_hidden()
    assert len(server.get("/api/v1/jobs?limit=500").json()) == before


def test_a_result_is_worked_from_enlarged_and_leads_back_to_what_it_was_made_from(page: Page, server: Server) -> None:
    generate(page, "the parent")
    expect(shown(page, "the parent")).to_be_visible()
    page.get_by_role("button", name="Enlarge").click()
    page.get_by_role("button", name="× 2 · 128 × 128").click()
    expect(shown(page, "the parent")).to_have_attribute("width", "128")
    page.get_by_role("group", name="Made from", exact=True).get_by_role("button").click()
    expect(shown(page, "the parent")).to_have_attribute("width", "64")
    expect(page.get_by_role("group", name="Made from this").get_by_role("button")).to_have_count(1)


def test_a_picture_is_drawn_and_enlarged_by_the_upscaler_of_its_model_in_one_go(page: Page, server: Server) -> None:
    page.get_by_role("radio", name="× 2").click()
    expect(page.get_by_role("combobox", name="Upscaler")).to_have_value("darkroom-x4")
    expect(page.get_by_text("Becomes 128 × 128")).to_be_visible()
    settled(page)
    assert grave_violations(page) == []
    generate(page, "a house twice as large")
    expect(shown(page, "a house twice as large")).to_have_attribute("width", "128")
    [image] = job(server, "a house twice as large")["images"]
    assert image["recipe"]["upscaler"]["name"] == "darkroom-x4"
