"""The part of a picture that is drawn anew, painted in a real browser."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from tests.ui.axe import grave_violations
from tests.ui.bring import bring, png, slope
from tests.ui.conftest import PATIENCE_MS, Server, settled

PHONE = {"width": 390, "height": 844}
SIDE = 64
"""Pixels of the picture, and of what the tiny model makes."""


def picture() -> Image.Image:
    return slope(SIDE, SIDE)


def half() -> Image.Image:
    """A mask of its upper half."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (0, 0, SIDE, SIDE // 2))
    return mask


def button(page: Page, name: str) -> Locator:
    """The first: while the page is drawn anew, the editor is there twice for a moment."""
    return page.get_by_role("button", name=name).first


def painter(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Paint the part")


def told(page: Page) -> Locator:
    return painter(page).locator(".told").first


def begin(page: Page) -> None:
    """Bring a picture and have a part of it repainted."""
    page.get_by_text("Start from a picture").click()
    bring(page, "A picture to work from", png(picture()))
    expect(page.get_by_alt_text("The picture to work from")).to_be_visible()
    settled(page)
    page.get_by_role("radio", name="Repaint").click()
    settled(page)


def open_painter(page: Page, name: str) -> None:
    button(page, name).click()
    expect(painter(page).locator(".sheet canvas").first).to_be_visible()
    settled(page)


def drag(page: Page, *places: tuple[float, float]) -> None:
    """Move the mouse with its button held down through places of the sheet, each a part of its width and height."""
    box = painter(page).locator(".sheet").first.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def close_painter(page: Page) -> str:
    """Press Done, and return the id of the mask beside the button that opens the editor again."""
    button(page, "Done").click()
    expect(painter(page)).to_have_count(0)
    mask = page.get_by_alt_text("The mask: white is drawn anew")
    expect(mask).to_be_visible()
    return (mask.get_attribute("src") or "").rpartition("/")[2]


def pixels(server: Server, address: str, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(server.get(address).content)).convert(mode)).astype(int)


def test_what_is_painted_is_drawn_anew_and_all_else_stays_bit_by_bit(page: Page, server: Server) -> None:
    begin(page)
    page.get_by_label("Prompt", exact=True).fill("a painted part")
    button(page, "Generate image").click()
    expect(page.get_by_role("alert").filter(has_text="No part is chosen yet.")).to_be_visible()

    open_painter(page, "Paint the part")
    drag(page, (0.2, 0.25), (0.6, 0.25))
    expect(told(page)).to_contain_text("% is drawn anew.")
    first = told(page).inner_text()
    drag(page, (0.2, 0.75), (0.6, 0.75))
    expect(told(page)).not_to_have_text(first)
    page.keyboard.press("r")  # has the page drawn anew, as a picture does that is finished meanwhile
    settled(page)
    painter(page).locator(".stage").first.focus()
    page.keyboard.press("Control+z")
    expect(told(page)).to_have_text(first)
    page.keyboard.press("Control+Shift+z")
    expect(told(page)).not_to_have_text(first)
    button(page, "Undo").click()
    mask = close_painter(page)

    page.get_by_role("link", name="Gallery").click()
    page.get_by_role("link", name="Create").click()
    open_painter(page, "Paint on")
    expect(told(page)).to_have_text(first)  # it is there already
    assert close_painter(page) == mask

    button(page, "Generate image").click()
    made = page.locator('.print img[alt="a painted part"]')
    expect(made).to_be_visible()
    address = made.get_attribute("src") or ""
    drawn = pixels(server, f"/api/v1/uploads/{mask}", "L") > 127
    result = pixels(server, address, "RGB")
    differs = (result != np.asarray(picture()).astype(int)).any(axis=-1)
    assert drawn[16, 14:38].all()
    assert not drawn[32:].any()
    assert differs[drawn].mean() > 0.5
    assert not differs[~drawn].any()

    page.get_by_text("Before and after").click()
    expect(page.get_by_role("slider", name="Between Before and After")).to_be_visible()
    assert page.locator(".slider .over").get_attribute("src") == page.locator(".source img").get_attribute("src")
    assert page.locator(".slider .under").get_attribute("src") == address


def test_the_keyboard_alone_paints_and_what_cannot_be_kept_is_told(page: Page, server: Server) -> None:
    begin(page)
    open_painter(page, "Paint the part")
    page.route("**/api/v1/uploads?as=mask", lambda route: route.abort(), times=1)
    painter(page).locator(".stage").first.focus()
    page.keyboard.press("Space")
    expect(told(page)).to_have_text("The mask could not be kept: Failed to fetch. Press Done to try again.")
    for key in ("e", "Space"):
        page.keyboard.press(key)
    expect(told(page)).to_have_text("Nothing is painted yet.")
    for key in ("b", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(told(page)).to_contain_text("% is drawn anew.")
    button(page, "Fill").click()
    expect(told(page)).to_contain_text("leave a part free")
    button(page, "Invert").click()
    expect(told(page)).to_have_text("Nothing is painted yet.")

    painter(page).get_by_role("button", name="From a file").click()
    bring(page, "A mask", png(Image.new("L", (SIDE, 2 * SIDE), "white")))
    expect(page.get_by_role("alert")).to_contain_text("The mask has 64 × 128 pixels, the picture 64 × 64.")
    bring(page, "A mask", png(half()))
    expect(told(page)).to_have_text("50 % is drawn anew.")
    settled(page)
    assert pixels(server, f"/api/v1/uploads/{close_painter(page)}", "L").tolist() == np.asarray(half()).tolist()


@pytest.fixture
def phone(browser: Browser, open_page: Callable[..., Page]) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    yield open_page(context)
    context.close()


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    fingers: list[dict[str, Any]] = [{"x": x, "y": y, "id": place} for place, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_one_finger_paints_and_two_enlarge(phone: Page) -> None:
    button(phone, "Describe a picture").click()
    begin(phone)
    open_painter(phone, "Paint the part")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(button(phone, "Done")).to_be_in_viewport()
    assert grave_violations(phone) == []
    sheet = painter(phone).locator(".sheet")
    box = sheet.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = phone.context.new_cdp_session(phone)

    touch(session, "touchStart", (x - 40, y))
    touch(session, "touchStart", (x - 40, y), (x + 40, y))
    touch(session, "touchMove", (x - 80, y), (x + 80, y))
    touch(session, "touchEnd")
    expect(told(phone)).to_have_text("Paint over what is to be drawn anew.")  # a pinch is no stroke
    larger = sheet.bounding_box()
    assert larger is not None
    assert larger["width"] == pytest.approx(2 * box["width"], rel=0.05)

    touch(session, "touchStart", (x - 60, y))
    touch(session, "touchMove", (x, y))
    touch(session, "touchEnd")
    expect(told(phone)).to_contain_text("% is drawn anew.")
    close_painter(phone)
