"""Hosted models on the pages, in a real browser, with a server of this machine in place of OpenAI."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import tiny_settings
from tests.hosted.provider_server import Answer, Asked, ProviderServer, picture, provider_server
from tests.hosted.test_servers import offering
from tests.ui.axe import grave_violations
from tests.ui.conftest import PATIENCE_MS, Server, settled, start, stop, watched
from tests.ui.test_create import button, generate, jobs, prompt, shown
from tests.ui.test_models import choose, pick, picker

ID, NAME = "openai/gpt-image-2", "GPT Image 2"
CREATE = f"/?model={ID}"
DRAWING = ("/v1/images/generations", "/v1/images/edits")
OF_CHECKPOINTS = ("Inference steps", "Guidance scale", "Seed", "Negative prompt", "Strength", "Enlarge", "Scheduler")


@pytest.fixture(scope="module")
def openai() -> Iterator[ProviderServer]:
    with provider_server() as provider:
        provider.answers(images(picture()))
        yield provider


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, openai: ProviderServer) -> Iterator[Server]:
    """A studio with a key for OpenAI."""
    settings = tiny_settings(tmp_path_factory.mktemp("hosted"), tiny_checkpoint)
    server = start(settings, OPENAI_BASE_URL=f"{openai.url}/v1", OPENAI_API_KEY="secret-key", DARKROOM_HOSTED="on")
    yield server
    stop(server)


@pytest.fixture(scope="module")
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """One page for all; whatever its console calls an error fails them."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    yield watched(context.new_page(), complaints)
    context.close()
    assert complaints == [], server.log


def images(*files: bytes, **how: Any) -> Answer:
    """What OpenAI answers."""
    data = [{"b64_json": base64.b64encode(file).decode(), "revised_prompt": "a boat, at length"} for file in files]
    return Answer({"created": 1, "data": data}, **how)


def go(page: Page, server: Server, path: str) -> None:
    page.goto(server.url + path)
    settled(page)


def begin(page: Page, server: Server) -> None:
    """Open Create with the hosted model, to which somebody agrees."""
    go(page, server, CREATE)
    agree = button(page, "Agree to send them to OpenAI")
    ready = page.get_by_role("button", name="Generate image", disabled=False)
    expect(agree.or_(ready)).to_be_visible()
    if agree.is_visible():
        agree.click()
    expect(ready).to_be_visible()
    settled(page)


def open_servers(page: Page, server: Server) -> None:
    """Open the fields for a server of one's own."""
    go(page, server, "/models")
    page.get_by_test_id("stButtonGroup").get_by_text("Hosted", exact=True).click()
    settled(page)
    button(page, "Add a model").click()
    page.get_by_role("tab", name="A server").click()


def begin_upstairs(page: Page, server: Server, neighbour: ProviderServer) -> None:
    """Open Create with the model of another Darkroom, once that is added and somebody agrees to it."""
    open_servers(page, server)
    page.get_by_label("Name", exact=True).fill("Upstairs")
    page.get_by_label("Address", exact=True).fill(neighbour.url)
    button(page, "Ask it and add it").click()
    expect(page.locator(".st-key-provider-upstairs")).to_contain_text("upstairs/acme/tiny")
    go(page, server, "/?model=upstairs/acme/tiny")
    button(page, "Agree to send them to Upstairs").click()
    expect(button(page, "Generate image")).to_be_enabled()
    settled(page)


def choose_count(page: Page, count: int) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(str(count), exact=True).click()
    settled(page)


def made(page: Page, server: Server, words: str) -> None:
    """Have a picture made and wait for it."""
    begin(page, server)
    choose_count(page, 1)
    generate(page, words)
    expect(shown(page, words)).to_be_visible()
    settled(page)


def test_nothing_is_asked_before_somebody_has_agreed(page: Page, server: Server, openai: ProviderServer) -> None:
    go(page, server, CREATE)
    note = page.get_by_role("note")
    expect(note).to_contain_text("leave this machine")
    expect(note).to_contain_text(openai.url.removeprefix("http://"))
    expect(note.get_by_role("link")).to_have_attribute("href", "https://platform.openai.com/docs/guides/your-data")
    expect(button(page, "Generate image")).to_be_disabled()
    page.locator("[class*=st-key-example-] button").first.click()
    expect(page.get_by_role("alert")).to_contain_text("nobody here has agreed yet")
    assert openai.asked == []
    assert grave_violations(page) == []
    button(page, "Agree to send them to OpenAI").click()
    expect(button(page, "Generate image")).to_be_enabled()
    expect(page.get_by_text("Your prompt and pictures go to OpenAI")).to_be_visible()
    expect(note).to_have_count(0)


def test_hosted_models_are_named_as_such_after_the_checkpoints(page: Page, server: Server) -> None:
    go(page, server, "/")
    picker(page).fill(NAME)
    expect(page.get_by_role("option").filter(has_text=f"{NAME} · hosted by OpenAI")).to_have_count(1)
    page.keyboard.press("Escape")


def test_a_hosted_model_has_controls_of_its_own_and_none_that_it_ignores(page: Page, server: Server) -> None:
    begin(page, server)
    for label in OF_CHECKPOINTS:
        expect(page.get_by_label(label, exact=True)).to_have_count(0)
    for key in ("advanced", "chain", "follow-drop"):
        expect(page.locator(f".st-key-{key}")).to_have_count(0)
    for label in ("Size", "Quality", "Background"):
        expect(page.get_by_label(label, exact=True)).to_be_visible()
    expect(page.locator(".made-by")).to_contain_text("Made by OpenAI at")
    expect(page.get_by_text("Start from a picture")).to_be_visible()
    choose(page, "Tiny")
    for label in ("Inference steps", "Seed", "Negative prompt"):
        expect(page.get_by_label(label, exact=True)).to_be_visible()
    expect(page.get_by_label("Quality", exact=True)).to_have_count(0)


def test_a_job_is_followed_while_a_provider_draws_and_its_recipe_says_who(
    page: Page, server: Server, openai: ProviderServer
) -> None:
    begin(page, server)
    comes = threading.Event()
    openai.answers(images(picture(color="navy"), picture(color="teal"), held_until=comes))
    pick(page, "Quality", "Low")
    choose_count(page, 2)
    generate(page, "two boats")
    expect(page.locator(".status")).to_have_text("OpenAI is drawing …")
    expect(page.locator(".left")).to_contain_text("2 pictures at once")
    comes.set()
    expect(shown(page, "two boats")).to_be_visible()
    settled(page)
    asked = openai.asked[-1].json
    assert (asked["n"], asked["quality"], asked["size"]) == (2, "low", "1024x1024")
    [job] = jobs(server, "two boats")
    assert (len(job["images"]), job["warnings"]) == (2, [])
    expect(page.locator(".facts").first).to_contain_text("hosted by OpenAI")
    page.locator("summary", has_text="Recipe").click()
    table = page.locator("dl.recipe")
    for words in ("takes no seed", "a boat, at length", "OpenAI, at 127.0.0.1", "low", "1024 × 1024"):
        expect(table).to_contain_text(words)
    for words in ("Steps", "Guidance", "Scheduler", "Quantisation", "Offload", "Precision"):
        expect(table.get_by_text(words, exact=True)).to_have_count(0)


def test_it_is_told_when_a_provider_is_busy_and_asked_again(page: Page, server: Server, openai: ProviderServer) -> None:
    begin(page, server)
    comes = threading.Event()
    busy = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    again = {"Content-Type": "application/json", "Retry-After": "0"}
    openai.answers(Answer(busy, 429, again), images(picture(), held_until=comes))
    choose_count(page, 1)
    generate(page, "a patient boat")
    expect(page.locator(".left")).to_contain_text("asked again, attempt 2")
    comes.set()
    expect(shown(page, "a patient boat")).to_be_visible()


def test_a_refusal_is_told_with_what_to_do_and_the_prompt_is_kept(
    page: Page, server: Server, openai: ProviderServer
) -> None:
    begin(page, server)
    openai.answers(Answer({"error": {"message": "bad key secret-key"}}, 401))
    generate(page, "a refused boat")
    error = page.get_by_test_id("stAlert")
    expect(error).to_contain_text("OpenAI refuses the key")
    expect(error).to_contain_text("OPENAI_API_KEY")
    expect(prompt(page)).to_have_value("a refused boat")
    expect(button(page, "Retry")).to_be_visible()
    assert "secret-key" not in page.content()


def test_a_hosted_job_can_be_cancelled(page: Page, server: Server, openai: ProviderServer) -> None:
    begin(page, server)
    comes = threading.Event()
    openai.answers(images(picture(), held_until=comes))
    generate(page, "a boat too late")
    expect(page.locator(".status")).to_contain_text("drawing")
    button(page, "Cancel").click()
    expect(page.locator(".status")).to_have_count(0)
    comes.set()
    assert [job["status"] for job in jobs(server, "a boat too late")] == ["cancelled"]


def test_a_transparent_picture_lies_on_chequers_and_can_be_worked_from_reused_and_enlarged(
    page: Page, server: Server, openai: ProviderServer
) -> None:
    openai.answers(images(picture(color=(200, 30, 30, 90), mode="RGBA")), images(picture(color="gold")))
    made(page, server, "a glass boat")
    assert "conic-gradient" in shown(page, "a glass boat").evaluate("image => getComputedStyle(image).backgroundImage")
    button(page, "Work from this").click()
    button(page, "Change it").click()
    expect(page.get_by_alt_text("The picture to work from")).to_be_visible()
    for label in ("Strength", "Fit"):
        expect(page.get_by_label(label, exact=True)).to_have_count(0)
    generate(page, "a golden boat")
    expect(shown(page, "a golden boat")).to_be_visible()
    assert openai.asked[-1].path == "/v1/images/edits"
    settled(page)
    button(page, "Work without it").click()
    button(page, "Reuse settings").click()
    expect(page.get_by_alt_text("The picture to work from")).to_be_visible()
    expect(picker(page)).to_have_value(f"{NAME} · hosted by OpenAI")
    settled(page)
    page.get_by_role("button", name="Enlarge").last.click()
    button(page, "× 2 · 128 × 96").click()
    expect(page.locator('.print img[width="128"]')).to_be_visible()
    expect(page.locator(".facts").first).not_to_contain_text("hosted")


def test_the_page_models_says_who_can_be_asked_and_what_they_offer(page: Page, server: Server) -> None:
    go(page, server, "/models")
    page.get_by_test_id("stButtonGroup").get_by_text("Hosted", exact=True).click()
    card = page.locator(".st-key-provider-openai")
    for words in ("Ready", "OPENAI_API_KEY", "platform.openai.com/api-keys", ID, "quality (auto, low, medium, high"):
        expect(card).to_contain_text(words)
    assert "secret-key" not in page.content()
    settled(page)
    assert grave_violations(page) == []
    card.locator('a[href$="openai%2Fgpt-image-2"]').click()
    expect(picker(page)).to_have_value(f"{NAME} · hosted by OpenAI")


def test_a_server_of_ones_own_is_added_and_forgotten(page: Page, server: Server) -> None:
    def told(asked: Asked) -> Answer:
        return Answer({"data": [{"id": "lantern"}]}) if asked.path == "/v1/models" else Answer({}, 404)

    with provider_server() as neighbour:
        neighbour.answers(told)
        open_servers(page, server)
        page.get_by_label("Name", exact=True).fill("Neighbour")
        page.get_by_label("Address", exact=True).fill("nowhere")
        button(page, "Ask it and add it").click()
        expect(page.get_by_role("alert")).to_contain_text("That is no address of a server")
        settled(page)
        page.get_by_label("Address", exact=True).fill(neighbour.url)
        button(page, "Ask it and add it").click()
        card = page.locator(".st-key-provider-neighbour")
        expect(card).to_contain_text("neighbour/lantern")
        expect(card.get_by_role("note")).to_contain_text("sent to Neighbour")
        page.keyboard.press("Escape")
        settled(page)
        button(page, "Forget").click()
        expect(card).to_have_count(0)


def test_a_model_of_another_darkroom_has_the_controls_that_it_follows_and_is_asked_as_they_say(
    page: Page, server: Server
) -> None:
    told = offering("acme/tiny", darkroom=True)
    with provider_server() as neighbour:
        neighbour.answers(lambda asked: images(picture()) if asked.path in DRAWING else told(asked))
        begin_upstairs(page, server, neighbour)
        for label in ("Inference steps", "Guidance scale", "Seed", "Negative prompt"):
            expect(page.get_by_label(label, exact=True)).to_be_visible()
        for key in ("chain", "follow-drop", "enlarge"):
            expect(page.locator(f".st-key-{key}")).to_have_count(0)
        page.get_by_text("Advanced", exact=True).click()
        pick(page, "Scheduler", "Heun")
        expect(page.get_by_text("Advanced · 1 changed")).to_be_visible()
        page.get_by_test_id("stSlider").filter(has_text="Inference steps").get_by_role("slider").press("ArrowRight")
        page.get_by_label("Seed", exact=True).fill("7")
        page.get_by_label("Seed", exact=True).blur()
        settled(page)
        assert grave_violations(page) == []
        generate(page, "a boat upstairs")
        expect(shown(page, "a boat upstairs")).to_be_visible()
        wish = {"num_inference_steps": 10, "guidance_scale": 3.5, "scheduler": "Heun", "seed": 7}
        assert wish.items() <= neighbour.asked[-1].json.items()
        settled(page)
        button(page, "Work from this").click()
        button(page, "Change it").click()
        for label in ("Strength", "Fit"):
            expect(page.get_by_label(label, exact=True)).to_be_visible()


def test_a_comparison_has_hosted_models_beside_those_that_run_here(
    page: Page, server: Server, openai: ProviderServer
) -> None:
    begin(page, server)
    openai.answers(images(picture()))
    go(page, server, "/compare")
    page.get_by_test_id("stButtonGroup").get_by_text("Models", exact=True).click()
    settled(page)
    pick(page, "Models", f"{NAME} · hosted by OpenAI")
    settled(page)
    page.get_by_label("Steps", exact=True).fill("2")
    page.get_by_label("Steps", exact=True).blur()
    expect(page.get_by_text(f"{NAME} does not take steps; it is ignored.")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill("a boat in two ways")
    page.get_by_label("Prompt", exact=True).blur()
    settled(page)
    button(page, "Make the pictures").click()
    expect(button(page, "Make again")).to_be_visible()
    settled(page)
    sheet = page.get_by_role("region", name="Contact sheet")
    expect(sheet.get_by_text(NAME).first).to_be_visible()
    hosted = next(job for job in jobs(server, "a boat in two ways") if job["model"] == ID)
    assert hosted["images"]
    assert page.request.get(f"{server.url}/api/v1/comparisons/{page.url.partition('=')[2]}/sheet").ok


def test_with_hosted_models_off_nothing_of_them_shows_and_their_pictures_stay(
    page: Page, server: Server, openai: ProviderServer, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    openai.answers(images(picture()))
    made(page, server, "a boat from elsewhere")
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    shutil.copytree(server.outputs / "openai-gpt-image-2", settings.outputs / "openai-gpt-image-2")
    alone = start(settings, OPENAI_API_KEY="secret-key", DARKROOM_HOSTED="off")
    try:
        [image] = alone.get("/api/v1/images?text=elsewhere").json()["images"]
        go(page, alone, f"/?image={image['id']}")
        expect(page.locator(".facts").first).to_contain_text("hosted by OpenAI")
        button(page, "Reuse settings").click()
        expect(page.get_by_role("alert").first).to_contain_text("hosted models are off here")
        settled(page)
        picker(page).fill(NAME)
        expect(page.get_by_role("option").filter(has_text="hosted")).to_have_count(0)
        go(page, alone, f"/gallery?image={image['id']}")
        expect(page.locator(".facts").first).to_contain_text("hosted by OpenAI")
        expect(button(page, "Work from this")).to_be_visible()
        go(page, alone, "/models")
        expect(page.get_by_text("Hosted", exact=True)).to_have_count(0)
    finally:
        page.goto("about:blank")  # which asks nobody who has gone
        stop(alone)
