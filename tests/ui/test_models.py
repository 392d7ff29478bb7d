"""The choice of a model in the sidebar, its files and its controls, in a real browser, with a hub of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from safetensors.numpy import save_file

from tests.checkpoints import record_for
from tests.conftest import tiny_settings, write_models
from tests.hub_server import TOKEN, Fault, HubServer
from tests.ui.axe import AT_REST, grave_violations
from tests.ui.conftest import Server, settled, start, stop
from tests.ui.test_create import button, generate, jobs, shown

LARGEST = "transformer/diffusion_pytorch_model.safetensors"
FIXED = {"steps": {"default": 3, "min": 3, "max": 3}, "guidance": {"default": 0.0, "min": 0.0, "max": 0.0}}


@pytest.fixture(scope="module")
def hub(tiny_checkpoint: Path) -> Iterator[HubServer]:
    """A hub that has the tiny checkpoint under several names."""
    with HubServer() as hub:
        for name in ("acme/stopped", "acme/alone"):
            hub.add(name, tiny_checkpoint)
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, hub: HubServer) -> Iterator[Server]:
    """A studio that knows checkpoints of that hub, and that has one LoRA."""
    folder = tmp_path_factory.mktemp("models")
    settings = tiny_settings(folder, tiny_checkpoint, weights=folder / "weights")
    size = sum(file.stat().st_size for file in tiny_checkpoint.rglob("*"))
    write_models(
        settings.models_file,
        record_for(tiny_checkpoint, id="tiny", name="Tiny"),
        record_for(tiny_checkpoint, id="fixed", name="Fixed", negative_prompt=False, **FIXED),
        record_for(tiny_checkpoint, id="acme/stopped", name="Stopped", source="acme/stopped", download_bytes=size),
        record_for(tiny_checkpoint, id="acme/alone", name="Alone", source="acme/alone", download_bytes=size),
    )
    layer = "transformer.transformer_blocks.0.attn.to_q.lora"
    (folder / "weights" / "loras").mkdir(parents=True)
    pair = {f"{layer}_A.weight": numpy.zeros((4, 1536)), f"{layer}_B.weight": numpy.zeros((1536, 4))}
    save_file(pair, folder / "weights" / "loras" / "ink.safetensors", {"modelspec.trigger_phrase": "ink wash"})
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DOWNLOAD_TIMEOUT": "300"}
    server = start(settings, DARKROOM_WEIGHTS=str(folder / "weights"), **variables)
    yield server
    stop(server)


def picker(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Model", exact=True)


def choose(page: Page, name: str) -> None:
    """Choose a model as people do in a long list: by typing a part of its name."""
    picker(page).fill(name)
    page.get_by_role("option").filter(has_text=name).first.click()
    settled(page)


def pick(page: Page, label: str, option: str) -> None:
    """Choose in a select box further down, which must not be scrolled while its list is open."""
    box = page.get_by_label(label, exact=True)
    box.hover()
    settled(page)
    page.wait_for_function(AT_REST)
    box.fill(option)
    page.get_by_role("option").filter(has_text=option).first.click()


def held(hub: HubServer, repository: str) -> Fault:
    """Let the hub stop in the middle of the largest file, once."""
    return hub.fault(repository, LARGEST, Fault(hold_after=100_000, times=1))


def test_what_is_here_stands_before_what_must_be_downloaded_and_the_default_first(page: Page) -> None:
    picker(page).click()
    names = [name.strip() for name in page.get_by_role("option").all_inner_texts()]
    assert names[0] == "Tiny"
    first_away = next(place for place, name in enumerate(names) if "↓" in name)
    assert {"Fixed", "Darkroom demo"} <= set(names[:first_away])
    assert all("GB" in name or "MB" in name for name in names[first_away:])


def test_the_plan_stands_below_the_model_before_anything_is_downloaded(page: Page) -> None:
    expect(page.locator(".plan.fits")).to_contain_text("Fits")
    choose(page, "Qwen-Image")
    expect(page.locator(".plan")).to_contain_text("of RAM")
    expect(button(page, "Download 57.7 GB")).to_be_visible()


def test_controls_that_a_model_leaves_no_choice_of_are_absent(page: Page, server: Server) -> None:
    choose(page, "Fixed")
    expect(page.locator(".fixed", has_text="Inference steps")).to_contain_text("3")
    for label in ("Guidance scale", "Negative prompt"):
        expect(page.get_by_label(label)).to_have_count(0)
    generate(page, "three steps")
    expect(shown(page, "three steps")).to_be_visible()
    [job] = jobs(server, "three steps")
    recipe = job["images"][0]["recipe"]
    assert (recipe["num_inference_steps"], recipe["guidance_scale"]) == (3, 0.0)


def test_a_model_of_fixed_shapes_offers_just_these(page: Page) -> None:
    choose(page, "Hunyuan")
    page.get_by_label("Size", exact=True).click()
    sizes = page.get_by_role("option").all_inner_texts()
    assert any("1280 × 768" in size for size in sizes)
    assert not any("Another size" in size for size in sizes)


def test_a_download_shows_its_bytes_can_be_stopped_and_goes_on(page: Page, hub: HubServer) -> None:
    fault = held(hub, "acme/stopped")
    choose(page, "Stopped")
    button(page, "Download").click()
    expect(page.get_by_test_id("stProgress")).to_contain_text("MB of 6.8 MB")
    button(page, "Stop the download").click()
    go_on = button(page, "Go on")
    expect(go_on).to_contain_text("are here")

    fault.release.set()
    go_on.click()

    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    expect(go_on).to_have_count(0)
    expect(page.locator("[class*=st-key-fetch]")).to_have_count(0)
    assert hub.sent[f"acme/stopped/{LARGEST}"] < 2 * len(hub.content("acme/stopped", LARGEST))
    expect(picker(page)).to_have_value("Stopped")  # it is still chosen, though it is called otherwise now
    generate(page, "drawn with new files")
    expect(shown(page, "drawn with new files")).to_be_visible()


def test_a_job_downloads_what_it_needs_and_tells_how_far_it_is(page: Page, hub: HubServer) -> None:
    fault = held(hub, "acme/alone")
    choose(page, "Alone")
    generate(page, "fetched on the way")
    expect(page.locator(".status")).to_have_text("Downloading the model")
    expect(page.locator(".left")).to_contain_text("MB of 6.8 MB")
    fault.release.set()
    expect(shown(page, "fetched on the way")).to_be_visible()


def test_a_model_that_cannot_be_had_says_why_and_what_to_do(page: Page) -> None:
    choose(page, "FLUX")
    button(page, "Download").click()
    problem = page.get_by_role("alert").filter(has_text="gated")
    expect(problem).to_contain_text("HF_TOKEN")


def test_loras_and_precisions_of_single_components_reach_the_request(page: Page, server: Server) -> None:
    page.get_by_text("Advanced").click()
    pick(page, "LoRAs", "ink")
    page.keyboard.press("Escape")
    expect(page.get_by_text("It answers to: ink wash")).to_be_visible()
    page.get_by_text("Each component").click()
    pick(page, "Transformer", "NF4, four bits")
    expect(page.get_by_text("Advanced · 2 changed")).to_be_visible()

    generate(page, "with ink")

    expect(page.locator(".st-key-cancel").or_(page.get_by_test_id("stAlert")).first).to_be_visible()
    [job] = jobs(server, "with ink")
    request: dict[str, Any] = job["request"]
    assert request["loras"] == [{"name": "ink", "weight": 1.0}]
    assert request["component_quantization"] == {"transformer": "nf4"}


def test_the_notes_of_a_model_are_folded_away(page: Page) -> None:
    note = page.get_by_text("It knows small landscapes")
    expect(note).to_be_hidden()
    page.locator(".st-key-about summary").click()
    expect(note).to_be_visible()


# -- the page with all models


def open_models(page: Page) -> None:
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    settled(page)


def card(page: Page, name: str) -> Locator:
    """The card of a model, by its heading."""
    return page.locator("[class*=st-key-model-]").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_every_model_has_a_card_that_says_whether_it_fits_and_whose_terms_it_has(page: Page) -> None:
    open_models(page)
    flux = card(page, "FLUX.1 [dev]")
    expect(flux.locator(".plan")).to_contain_text("of RAM")
    expect(flux).to_contain_text("Gated")
    expect(flux).to_contain_text("33.7 GB to download")
    expect(flux.get_by_role("button", name="Download 33.7 GB")).to_be_visible()
    expect(card(page, "Darkroom demo")).to_contain_text("MB on disk")


def test_models_are_found_by_words_and_by_what_is_here(page: Page) -> None:
    open_models(page)
    page.get_by_text("Here", exact=True).first.click()
    expect(card(page, "FLUX.1 [dev]")).to_have_count(0)
    expect(card(page, "Tiny")).to_be_visible()
    page.get_by_text("All", exact=True).click()
    search = page.get_by_role("textbox", name="Search")
    search.fill("turbo sdxl")
    search.press("Enter")
    expect(page.locator("[class*=st-key-model-]")).to_have_count(1)
    expect(card(page, "SDXL-Turbo")).to_be_visible()
    search.fill("no such thing")
    search.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("No model is like that")


def test_a_model_is_taken_to_the_form_with_what_it_recommends(page: Page) -> None:
    open_models(page)
    card(page, "SDXL-Turbo").get_by_role("link", name="Use").click()
    expect(page.get_by_label("Inference steps").first).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("Stability AI Non-Commercial")
    expect(page.get_by_test_id("stSlider").filter(has_text="Inference steps")).to_contain_text("4")


def test_a_model_of_the_hub_is_added_fetched_deleted_and_forgotten(
    page: Page, hub: HubServer, tiny_checkpoint: Path
) -> None:
    hub.add("acme/new", tiny_checkpoint)
    open_models(page)
    source = page.get_by_role("textbox", name="Hugging Face repository")
    button(page, "Add a model").click()
    source.fill("nonsense")
    source.blur()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("is not the name of a repository")
    source.fill("acme/new")
    source.blur()
    page.get_by_role("button", name="Add", exact=True).click()
    page.keyboard.press("Escape")

    new = card(page, "new")
    new.get_by_role("button", name="Download").click()
    new.get_by_role("button", name="Delete files").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.keyboard.press("Escape")
    expect(new.get_by_role("button", name="Download")).to_be_visible()

    new.get_by_role("button", name="Forget").click()
    expect(new).to_have_count(0)


def test_files_in_the_weights_folder_are_found_and_those_of_no_use_say_why(page: Page, server: Server) -> None:
    open_models(page)
    checkpoints = server.outputs.parent / "weights" / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / "old.ckpt").write_bytes(b"pickle")
    button(page, "Add a model").click()
    page.get_by_role("tab", name="A file of yours").click()
    expect(page.get_by_text(str(checkpoints))).to_be_visible()
    button(page, "Look again").click()
    expect(page.get_by_text("old.ckpt")).to_contain_text("pickle")
    expect(page.get_by_text("ink, ")).to_be_visible()


def test_a_check_tells_what_it_found(page: Page) -> None:
    open_models(page)
    tiny = card(page, "Tiny")
    tiny.get_by_role("button", name="Check").click()
    expect(tiny.get_by_role("status")).to_contain_text("things are fine")


def test_the_help_for_gated_models_never_shows_the_token(
    hub: HubServer, tmp_path: Path, tiny_checkpoint: Path, browser: Browser
) -> None:
    """The hub of this test knows the token's account."""
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    member = start(
        settings, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"), HF_TOKEN=TOKEN, DARKROOM_PRELOAD="false"
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(member.url + "/models")
    settled(page)
    page.get_by_role("button", name="Gated models").click()
    expect(page.get_by_text("A Hugging Face token is set.")).to_be_visible()
    page.get_by_role("button", name="Whose is it?").click()
    expect(page.get_by_text("The hub knows it: member.")).to_be_visible()
    assert TOKEN not in page.content()
    context.close()
    stop(member)


def test_without_a_token_the_help_says_how_to_get_one(page: Page) -> None:
    open_models(page)
    button(page, "Gated models").click()
    expect(page.get_by_text("No Hugging Face token is set.")).to_be_visible()
    expect(page.get_by_text("huggingface.co/settings/tokens")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_of_models_is_accessible(page: Page, width: int) -> None:
    open_models(page)
    page.set_viewport_size({"width": width, "height": 900})
    settled(page)
    assert grave_violations(page) == []


def test_a_model_that_was_forgotten_elsewhere_cannot_be_checked_and_the_page_says_so(
    page: Page, server: Server, hub: HubServer, tiny_checkpoint: Path
) -> None:
    hub.add("acme/gone", tiny_checkpoint)
    page.request.post(f"{server.url}/api/v1/models", data={"source": "acme/gone"})
    open_models(page)
    page.request.delete(f"{server.url}/api/v1/models/acme/gone")
    card(page, "gone").get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert")).to_contain_text("acme/gone")
    expect(card(page, "gone")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
