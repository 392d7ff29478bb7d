"""Selecting with a click in the mask editor, in a real browser: what is found is painted, taken back, and told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Request, expect

from pipeline.models.segmenters import RECORDS
from tests.checkpoints.segmenters import sam2_checkpoint
from tests.conftest import tiny_settings
from tests.ui.axe import grave_violations
from tests.ui.bring import bring, png
from tests.ui.conftest import Server, cancel_all, follow, settled, start, stop
from tests.ui.test_mask_editor import SIDE, begin, button, close_painter, open_painter, painter, picture, pixels, told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """A studio with a folder for weights that is empty at first."""
    folder = tmp_path_factory.mktemp("select")
    server = start(
        tiny_settings(folder, tiny_checkpoint),
        DARKROOM_WEIGHTS=str(folder / "weights"),
        HF_HUB_CACHE=str(folder / "hub"),
    )
    follow(server, num_inference_steps=1)
    yield server
    stop(server)


@pytest.fixture
def own(server: Server) -> Path:
    """Where a segmentation model of one's own lies, which is there."""
    folder = server.outputs.parent / "weights" / "sams" / "tiny"
    return folder if folder.is_dir() else sam2_checkpoint(folder)


def click(page: Page, x: float, y: float, *modifiers: str) -> str:
    """Click a place of the sheet, each a part of its width and height; the id of the mask that the studio answers."""
    box = painter(page).locator(".sheet").first.bounding_box()
    assert box is not None
    with page.expect_response(lambda answer: answer.url.endswith("/select")) as caught:
        for key in modifiers:
            page.keyboard.down(key)
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        for key in modifiers:
            page.keyboard.up(key)
    return str(caught.value.json().get("id"))


def place_of(request: Request) -> tuple[float, float]:
    [point] = request.post_data_json["points"]
    return point["x"], point["y"]


def test_a_click_paints_what_is_found_shift_takes_it_away_and_undo_brings_it_back(
    page: Page, server: Server, own: Path
) -> None:
    shutil.rmtree(own)
    begin(page)
    open_painter(page, "Paint the part")
    button(page, "Select").click()
    needs = painter(page).locator(".told.wrong").first
    expect(needs).to_contain_text("none is on this computer. Fetch SAM 2.1 Tiny (156 MB, Apache-2.0) with")
    expect(needs).to_contain_text(RECORDS[0].command)
    assert grave_violations(page) == []

    # It comes while the editor is open.
    sam2_checkpoint(own)
    asked: list[Request] = []
    page.on("request", lambda request: request.url.endswith("/select") and asked.append(request))
    first = click(page, 0.25, 0.5)
    assert place_of(asked[0]) == pytest.approx((SIDE / 4, SIDE / 2), abs=1)
    found = pixels(server, f"/api/v1/uploads/{first}", "L") > 127
    expect(told(page)).to_have_text(f"{round(100 * found.mean())} % is drawn anew.")
    one = told(page).inner_text()

    second = click(page, 0.8, 0.2)
    both = found | (pixels(server, f"/api/v1/uploads/{second}", "L") > 127)
    assert not np.array_equal(found, both)
    expect(told(page)).to_have_text(f"{round(100 * both.mean())} % is drawn anew.")
    assert click(page, 0.25, 0.5, "Shift") == first
    rest = both & ~found
    expect(told(page)).to_have_text(f"{round(100 * rest.mean())} % is drawn anew.")
    button(page, "Undo").click()
    button(page, "Undo").click()
    expect(told(page)).to_have_text(one)
    button(page, "Redo").click()
    expect(told(page)).to_have_text(f"{round(100 * both.mean())} % is drawn anew.")
    assert np.array_equal(pixels(server, f"/api/v1/uploads/{close_painter(page)}", "L") > 127, both)


@pytest.mark.usefixtures("own")
def test_the_keyboard_alone_selects_and_deselects(page: Page, server: Server) -> None:
    begin(page)
    open_painter(page, "Paint the part")
    painter(page).locator(".stage").first.focus()
    page.keyboard.press("s")
    expect(told(page)).to_have_text("Click a thing to paint it.")
    with page.expect_response(lambda answer: answer.url.endswith("/select")) as caught:
        page.keyboard.press("Space")
    assert place_of(caught.value.request) == (SIDE / 2, SIDE / 2)
    found = pixels(server, f"/api/v1/uploads/{caught.value.json()['id']}", "L") > 127
    expect(told(page)).to_have_text(f"{round(100 * found.mean())} % is drawn anew.")
    page.keyboard.press("d")
    page.keyboard.press("Space")
    expect(told(page)).to_have_text("Nothing is painted yet.")
    page.keyboard.press("Control+z")
    expect(told(page)).to_have_text(f"{round(100 * found.mean())} % is drawn anew.")


@pytest.mark.usefixtures("own")
def test_a_click_while_a_job_runs_is_answered_when_that_ends_and_the_page_is_drawn_anew(
    page: Page, server: Server
) -> None:
    wish = {"prompt": "a long one", "num_inference_steps": 1000, "num_images": 8}
    job = page.request.post(f"{server.url}/api/v1/jobs", data=wish).json()["id"]
    page.goto(f"{server.url}/?job={job}")
    settled(page)
    begin(page)
    open_painter(page, "Paint the part")
    button(page, "Select").click()
    painter(page).locator(".sheet").first.click()
    expect(told(page)).to_contain_text("while a job runs, this waits until it is done.")
    cancel_all(server)
    expect(told(page)).to_contain_text("% is drawn anew.")
    settled(page)
    expect(told(page)).to_contain_text("% is drawn anew.")
    close_painter(page)


@pytest.mark.usefixtures("own")
def test_what_goes_wrong_is_told_and_changes_nothing(page: Page) -> None:
    begin(page)
    open_painter(page, "Paint the part")
    button(page, "Select").click()
    page.route("**/select", lambda route: route.abort(), times=1)
    sheet = painter(page).locator(".sheet").first
    sheet.click()
    expect(told(page)).to_have_text("Failed to fetch")
    expect(button(page, "Undo")).to_be_disabled()
    sheet.click()
    expect(told(page)).to_contain_text("% is drawn anew.")


def test_a_model_that_repaints_nothing_has_no_editor_and_says_why(page: Page) -> None:
    page.goto(page.url.split("?")[0] + "?model=kandinsky-community/kandinsky-2-2-decoder")
    settled(page)
    page.get_by_text("Start from a picture").click()
    bring(page, "A picture to work from", png(picture()))
    expect(page.get_by_text("Kandinsky 2.2 cannot repaint or extend a part of a picture:")).to_be_visible()
    expect(page.get_by_role("radio", name="Repaint")).to_have_count(0)
