"""Following a map in a real browser: a picture is brought along, its edges are found, and the result follows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.checkpoints.controlnets import controlnet
from tests.conftest import tiny_settings
from tests.ui.axe import grave_violations
from tests.ui.bring import bring, png
from tests.ui.conftest import Server, follow, settled, start, stop

UPLOADER = "A map, or a picture with edges"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """A studio with a ControlNet of one's own for its model."""
    folder = tmp_path_factory.mktemp("follow")
    controlnet("sd3", tiny_checkpoint, folder / "weights" / "controlnet" / "lines")
    server = start(tiny_settings(folder, tiny_checkpoint), DARKROOM_WEIGHTS=str(folder / "weights"))
    follow(server, num_inference_steps=1)
    yield server
    stop(server)


def square() -> Image.Image:
    image = Image.new("RGB", (96, 96))
    image.paste("white", (24, 24, 72, 72))
    return image


def generate(page: Page, words: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(words)
    page.get_by_role("button", name="Generate image").click()
    expect(page.locator(f'.print img[alt="{words}"]')).to_be_visible()


def job(server: Server, words: str) -> dict[str, Any]:
    [found] = [one for one in server.get("/api/v1/jobs?limit=500").json() if one["request"]["prompt"] == words]
    return dict(found)


def test_a_picture_s_edges_are_found_followed_and_put_away(page: Page, server: Server) -> None:
    page.get_by_text("Follow a map").click()
    bring(page, UPLOADER, png(square()))
    shown = page.get_by_alt_text("The map to follow")
    expect(shown).to_be_visible()
    settled(page)
    edges = shown.get_attribute("src")
    page.get_by_role("radio", name="It is a map").click()
    settled(page)
    expect(shown).not_to_have_attribute("src", str(edges))
    page.get_by_role("radio", name="Its edges").click()
    settled(page)
    expect(shown).to_have_attribute("src", str(edges))
    assert grave_violations(page) == []

    generate(page, "a house that follows")
    [use] = job(server, "a house that follows")["request"]["controls"]
    assert (use["net"], use["scale"], use["start"], use["end"]) == ("lines", 1.0, 0.0, 1.0)
    assert use["image"] in str(edges)

    page.get_by_role("button", name="Follow it no more").click()
    expect(shown).to_be_hidden()
    generate(page, "a house that is free")
    assert job(server, "a house that is free")["request"]["controls"] == []

    page.get_by_role("button", name="Work from this").click()
    page.get_by_role("button", name="Follow its edges").click()
    expect(shown).to_be_visible()


def test_a_model_without_nets_shows_nothing_of_maps(page: Page) -> None:
    page.goto(page.url.split("?")[0] + "?model=stabilityai/stable-cascade")
    settled(page)
    expect(page.get_by_label("Prompt", exact=True)).to_be_visible()
    expect(page.get_by_text("Follow a map")).to_have_count(0)
