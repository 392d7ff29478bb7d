"""The page that compares, in a real browser, with a real worker: forms, sheets, and the quantisation lab."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from pipeline.compare.sheet import read_comparison
from tests.ui.axe import grave_violations
from tests.ui.conftest import Server, settled

PHONE = {"width": 390, "height": 844}
GRID = {"columns": {"field": "num_inference_steps", "values": [1, 2]}, "rows": {"field": "seed", "values": [5, 6]}}
LAB = {"columns": {"field": "quantization", "values": ["none", "int8", "nf4"]}}
ENDLESS = {"columns": {"field": "num_inference_steps", "values": [900, 950]}}


def go(page: Page, way: str | None = None) -> None:
    """Open the page as people do, and choose a way to compare."""
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    settled(page)
    if way:
        page.get_by_test_id("stButtonGroup").get_by_text(way, exact=True).click()
        settled(page)


def write(page: Page, label: str, words: str, place: int = 0) -> None:
    field = page.get_by_label(label, exact=True).nth(place)
    field.fill(words)
    field.blur()
    settled(page)


def begin(page: Page) -> None:
    page.get_by_role("button", name="Make the pictures").click()


def pictures(page: Page) -> Locator:
    """Those of the sheet that is open."""
    return page.get_by_role("region", name="Contact sheet").get_by_role("img")


def over(page: Page) -> None:
    """Wait until nothing of the comparison that is open is on its way."""
    expect(page.get_by_role("button", name="Make again")).to_be_visible()
    settled(page)


def prepare(page: Page, server: Server, prompt: str, axes: dict[str, Any], **base: Any) -> str:
    """Begin a comparison as this browser's, open it, and return its id."""
    body = {"base": {"prompt": prompt, "num_inference_steps": 1, "seed": 7} | base, **axes}
    answer = page.request.post(f"{server.url}/api/v1/comparisons", data=body)
    assert answer.status == 202, answer.text()
    comparison = str(answer.json()["id"])
    page.goto(f"{server.url}/compare?comparison={comparison}")
    settled(page)
    return comparison


def stored(server: Server, comparison: str) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"/api/v1/comparisons/{comparison}").json()
    return found


def opened(page: Page) -> str:
    """The id in the address."""
    page.wait_for_url("**comparison=*")
    return page.url.split("comparison=")[1]


def test_typed_values_become_a_labelled_sheet_that_a_reload_finds_again(page: Page, server: Server) -> None:
    go(page, "Grid")
    write(page, "Prompt", "a mill by the river")
    write(page, "Values", "1-2")
    write(page, "Values", "1, 3.5 ", place=1)
    expect(page.locator(".tally")).to_contain_text("2 × 2 = 4 pictures")

    begin(page)
    over(page)

    expect(pictures(page)).to_have_count(4)
    expect(page.get_by_role("columnheader")).to_have_text(["1", "2"])
    expect(page.get_by_role("rowheader")).to_have_text(["1", "3.5"])
    requests = [cell["job"]["request"] for cell in stored(server, opened(page))["cells"]]
    made = [(request["num_inference_steps"], request["guidance_scale"]) for request in requests]
    assert made == [(1, 1.0), (2, 1.0), (1, 3.5), (2, 3.5)]
    assert len({request["seed"] for request in requests}) == 1
    assert grave_violations(page) == []

    page.reload()
    over(page)
    expect(pictures(page)).to_have_count(4)


def test_what_cannot_be_read_is_said_under_its_field_and_nothing_begins(page: Page, server: Server) -> None:
    before = server.get("/api/v1/comparisons").json()
    go(page, "Grid")
    write(page, "Values", "4, eight")
    expect(page.locator(".st-key-compare-across").get_by_role("alert")).to_contain_text("“eight”")
    begin(page)
    expect(page.locator(".st-key-compare-across").get_by_role("alert")).to_contain_text("“eight”")
    write(page, "Values", "1-10")
    write(page, "Values", "1-9 [9]", place=1)
    expect(page.get_by_role("alert")).to_contain_text("90 pictures")
    begin(page)
    settled(page)
    assert server.get("/api/v1/comparisons").json() == before
    write(page, "Values", "1-2")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_empty_prompt_is_refused_when_one_begins_and_not_before(page: Page) -> None:
    go(page, "Grid")
    write(page, "Prompt", "")
    expect(page.locator(".tally")).to_contain_text("9 pictures")
    expect(page.get_by_role("alert")).to_have_count(0)
    begin(page)
    expect(page.get_by_role("alert")).to_contain_text("The prompt is empty.")


def test_models_that_must_be_downloaded_say_so_and_those_that_are_here_are_compared(page: Page, server: Server) -> None:
    go(page, "Models")
    write(page, "Prompt", "a hill")
    page.get_by_role("button", name="Remove Darkroom demo").click()
    expect(page.locator(".tally")).to_contain_text("2 pictures")
    page.get_by_role("combobox", name="Models").fill("FLUX")
    options = page.get_by_role("option")
    expect(options.filter(has_text="FLUX.1 [dev]")).to_contain_text("↓ 33.7 GB")
    page.keyboard.press("Escape")  # empties the field
    page.keyboard.press("Escape")  # closes the list
    write(page, "Steps", "1")
    begin(page)
    over(page)
    expect(page.get_by_role("columnheader")).to_have_text(["Tiny", "Plain"])
    expect(pictures(page)).to_have_count(2)


def test_what_runs_can_be_stopped_and_taken_up_again(page: Page, server: Server) -> None:
    prepare(page, server, "something long", ENDLESS)
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("region", name="Contact sheet")).to_contain_text("Step")
    page.get_by_role("button", name="Cancel").click()
    over(page)
    expect(page.get_by_role("region", name="Contact sheet")).to_contain_text("Cancelled")

    page.get_by_role("button", name="Make them now").click()

    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    over(page)


def test_a_picture_opens_large_and_its_neighbours_are_an_arrow_key_away(page: Page, server: Server) -> None:
    prepare(page, server, "a grid to look at", GRID)
    over(page)
    pictures(page).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Steps 1, Seed 5")
    assert grave_violations(page) == []
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text("Steps 2, Seed 5")
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("heading")).to_have_text("Steps 2, Seed 6")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_settings_of_a_picture_are_taken_to_the_page_that_makes_one(page: Page, server: Server) -> None:
    prepare(page, server, "taken along", GRID)
    over(page)
    pictures(page).last.click()
    page.get_by_role("button", name="Use these settings on Create").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("taken along")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("6")


def test_a_downloaded_sheet_is_replayed_into_the_form(page: Page, server: Server) -> None:
    comparison = prepare(page, server, "a boat, twice", GRID)
    over(page)
    with page.expect_download() as sheet:
        page.get_by_role("link", name="Download sheet").click()
    with page.expect_download() as folder:
        page.get_by_role("link", name="Download folder").click()
    with zipfile.ZipFile(folder.value.path()) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 5
    held = sheet.value.path().read_bytes()
    assert read_comparison(held).model_dump(mode="json") == stored(server, comparison)["comparison"]

    page.get_by_role("button", name="All comparisons").click()
    page.get_by_role("button", name="Replay from a file").click()
    file = {"name": "sheet.png", "mimeType": "image/png", "buffer": held}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(page.get_by_text("2 × 2 = 4 pictures").first).to_be_visible()
    page.get_by_role("button", name="Into the form").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a boat, twice")
    expect(page.get_by_label("Values", exact=True).first).to_have_value("1, 2")


def test_a_file_without_a_comparison_is_refused_with_a_sentence(page: Page) -> None:
    go(page)
    page.get_by_role("button", name="Replay from a file").click()
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    file = {"name": "plain.png", "mimeType": "image/png", "buffer": plain.getvalue()}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Make these")).to_have_count(0)


def test_the_lab_measures_each_precision_and_shows_what_changed(page: Page, server: Server) -> None:
    prepare(page, server, "a tower", LAB)
    over(page)
    table = page.get_by_role("region", name="Measured")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(table.get_by_role("row", name="Full precision")).to_contain_text("reference")
    expect(table.get_by_role("row", name="NF4")).to_contain_text("dB")
    expect(table.get_by_role("row", name="NF4")).to_contain_text("−")

    handle = page.get_by_role("slider", name="Between Full precision and NF4")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "52")
    handle.press("Home")
    expect(handle).to_have_attribute("aria-valuenow", "0")

    difference = page.locator(".apart img")
    assert difference.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    page.get_by_text("32 ×").click()
    expect(difference).to_have_attribute("src", re.compile(r"gain=32$"))
    assert grave_violations(page) == []


def test_the_slider_follows_the_mouse_and_uncovers_the_other_picture(page: Page, server: Server) -> None:
    prepare(page, server, "a pair", {"columns": {"field": "quantization", "values": ["none", "nf4"]}})
    over(page)
    slider = page.locator(".slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle)
    page.mouse.up()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "25")
    assert "75%" in slider.locator(".over").evaluate("image => getComputedStyle(image).clipPath")


def test_a_precision_that_a_model_cannot_use_is_shown_with_the_reason(page: Page) -> None:
    go(page, "Quantisation lab")
    boxes = page.locator(".st-key-precisions-offered")
    expect(boxes.get_by_role("checkbox", name="INT8")).to_be_checked()
    boxes.get_by_text("INT8").click()
    expect(page.locator(".tally")).to_have_text(re.compile("^2 pictures"))

    model = page.get_by_role("combobox", name="Model", exact=True)
    model.fill("Diffusion 1.5")
    page.get_by_role("option").filter(has_text="Stable Diffusion 1.5").click()

    expect(boxes).to_contain_text("has no component worth quantising")
    expect(boxes.get_by_role("checkbox", name="NF4", exact=True)).to_be_disabled()
    expect(page.locator(".tally")).to_have_text(re.compile("^1 picture"))


def test_ones_own_comparisons_come_first_and_can_be_forgotten(
    page: Page, open_page: Callable[..., Page], server: Server
) -> None:
    other = open_page()
    prepare(other, server, "of somebody else", GRID)
    over(other)
    prepare(page, server, "my own", GRID)
    over(page)

    page.get_by_role("button", name="All comparisons").click()

    mine, others = page.get_by_text("my own").first, page.get_by_text("of somebody else").first
    expect(page.get_by_role("heading", name="Of other people here")).to_be_visible()
    assert mine.evaluate("one => one.getBoundingClientRect().y") < others.evaluate("o => o.getBoundingClientRect().y")
    page.get_by_role("button", name="Forget “my own”").click()
    expect(page.get_by_role("button", name="Open “my own”")).to_have_count(0)
    page.get_by_role("button", name="Open “of somebody else”").first.click()
    over(page)
    expect(pictures(page)).to_have_count(4)


def test_an_address_that_leads_nowhere_says_so_and_offers_the_form(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/compare?comparison=0123456789abcdef")
    settled(page)
    expect(page.get_by_text("There is no comparison")).to_be_visible()
    expect(page.get_by_role("button", name="Make the pictures")).to_be_visible()


@pytest.mark.parametrize("way", ["Models", "Grid", "Quantisation lab"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_form_has_no_grave_fault_for_those_who_listen(page: Page, way: str, phone: bool) -> None:
    go(page, way)
    if phone:
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert grave_violations(page) == []


def test_on_a_phone_the_sheet_scrolls_within_its_own_frame(page: Page, server: Server) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    prepare(page, server, "on a phone", LAB)
    over(page)
    frame = page.get_by_role("region", name="Contact sheet")
    assert frame.evaluate("frame => frame.scrollWidth > frame.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert grave_violations(page) == []
