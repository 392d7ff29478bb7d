"""The page that makes pictures, in a real browser, with a real worker."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, Page, expect

from pipeline.gallery.metadata import read_recipe
from tests.ui.axe import grave_violations
from tests.ui.conftest import Server, comes_true, settled

PHONE = {"width": 390, "height": 844}
A1111 = (
    "a stone bridge\nNegative prompt: people\n"
    "Steps: 7, Sampler: Euler, CFG scale: 4, Seed: 77, Size: 64x64, Model: nobody"
)
"""Settings as other programs write them into a picture."""

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
    page.get_by_role("slider", name="Inference steps").press("End")  # long enough to be seen on a busy machine
    generate(page, "a boat at dawn")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(shown(page, "a boat at dawn")).to_be_visible()
    assert shown(page, "a boat at dawn").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64


def test_the_file_is_named_below_the_outputs_folder_and_in_full_on_hover(page: Page, server: Server) -> None:
    generate(page, "a filed boat")
    expect(shown(page, "a filed boat")).to_be_visible()
    [job] = jobs(server, "a filed boat")
    path = Path(job["images"][0]["path"])
    expect(page.locator(".path")).to_have_text(str(path.relative_to(server.outputs)))
    expect(page.locator(".path")).to_have_attribute("title", str(path))


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
    expect(button(page, "Generate image")).to_be_enabled()  # whose shortcut it is
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

    button(page, "Reuse settings").click()

    expect(prompt(page)).to_have_value("a windmill")
    [first] = jobs(server, "a windmill")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(first["seed"]))
    button(page, "Generate image").click()
    expect(page.locator(".path")).not_to_have_attribute("title", first["images"][0]["path"])
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
    words = "a paper boat on wet cobblestones after the rain"
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


def picker(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label, exact=True)


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a select box, which must not be scrolled while its list is open."""
    picker(page, label).hover()
    picker(page, label).fill(option)
    page.get_by_role("option", name=option).first.click()
    settled(page)


def make_another(page: Page, server: Server, **fields: Any) -> str:
    """Have a picture made as this browser's, and return its id."""
    job = page.request.post(f"{server.url}/api/v1/jobs", data={"num_inference_steps": 2} | fields).json()["id"]
    page.request.get(f"{server.url}/api/v1/jobs/{job}/events")
    return str(page.request.get(f"{server.url}/api/v1/jobs/{job}").json()["images"][0]["id"])


def on_a_phone(page: Page, server: Server, path: str = "/") -> Page:
    page.set_viewport_size(PHONE)
    page.goto(server.url + path)
    settled(page)
    return page


def drop(page: Page, name: str, data: bytes) -> None:
    """Put a file where settings are read from."""
    button(page, "From a file").click()
    page.get_by_test_id("stPopoverBody").locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": data}
    )


def with_text(text: str) -> bytes:
    """A small PNG with settings as other programs write them."""
    told, buffer = PngInfo(), io.BytesIO()
    told.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


@pytest.fixture
def own_styles(server: Server) -> Iterator[Path]:
    """A person's own file of styles."""
    path = server.outputs / ".darkroom" / "styles.toml"
    yield path
    path.unlink(missing_ok=True)


def test_prompt_steps_guidance_and_button_are_in_sight_without_scrolling(page: Page) -> None:
    foot = button(page, "Generate image").bounding_box()["y"]
    for name in ("num_inference_steps", "guidance_scale"):
        assert page.locator(f".st-key-{name} [data-testid=stSliderThumbValue]").bounding_box()["y"] < foot - 60
    expect(prompt(page)).to_be_in_viewport()
    expect(button(page, "Generate image")).to_be_in_viewport()
    assert prompt(page).bounding_box()["y"] < picker(page, "Model").bounding_box()["y"]


def test_the_page_says_which_model_runs_and_why(page: Page) -> None:
    expect(picker(page, "Model")).to_have_value("Tiny")
    expect(page.locator(".why")).to_contain_text("because DARKROOM_MODEL asks for it")


def test_an_idea_is_at_hand_when_there_are_pictures_and_only_fills_the_prompt(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/?image={make_another(page, server, prompt='in the way')}")
    settled(page)
    before = len(server.get("/api/v1/jobs?limit=500").json())
    button(page, "Ideas").click()
    idea = button(page, "a botanical plate of an imaginary fern, copper engraving")
    idea.click()
    expect(prompt(page)).to_have_value("a botanical plate of an imaginary fern, copper engraving")
    expect(idea).to_be_hidden()
    assert len(server.get("/api/v1/jobs?limit=500").json()) == before


def test_what_a_style_sends_is_shown_and_sent_and_kept(page: Page, server: Server) -> None:
    prompt(page).fill("a mill")
    prompt(page).blur()
    choose(page, "Style", "Ink drawing")
    whole = "ink drawing of a mill, fine cross-hatching, black on white"
    expect(page.locator(".sends")).to_contain_text(whole)
    expect(page.locator(".sends")).to_contain_text("Without: photograph, colour")

    button(page, "Generate image").click()

    expect(shown(page, whole)).to_be_visible()
    [job] = jobs(server, whole)
    assert job["images"][0]["recipe"]["negative_prompt"] == "photograph, colour"
    button(page, "Reuse settings").click()
    expect(prompt(page)).to_have_value(whole)
    expect(picker(page, "Style")).to_have_value("None")


def test_a_style_counts_when_the_model_would_cut_the_prompt(page: Page) -> None:
    words = "a mill " * 3
    prompt(page).fill(words)
    prompt(page).blur()
    settled(page)
    expect(page.locator(".tokens.over")).to_have_count(0)
    choose(page, "Style", "Ink drawing")
    expect(page.locator(".tokens.over")).to_contain_text("the model reads the first 32")


def test_a_style_of_ones_own_is_offered_and_a_wrong_file_is_a_sentence(
    open_page: Callable[..., Page], own_styles: Path
) -> None:
    own_styles.write_text('[[style]]\nname = "Neon"\nprompt = "{prompt}, neon"\n', encoding="utf-8")
    page = open_page()
    choose(page, "Style", "Neon")
    own_styles.write_text('[[style]]\nname = "Neon"\n', encoding="utf-8")
    page.reload()
    settled(page)
    expect(page.get_by_role("alert")).to_contain_text("A style in")
    expect(button(page, "Generate image")).to_be_enabled()


def test_a_size_is_swapped(page: Page, server: Server) -> None:
    choose(page, "Size", "Another size")
    page.get_by_label("Width", exact=True).fill("128")
    page.get_by_label("Width", exact=True).blur()
    settled(page)
    button(page, "Swap width and height").click()
    expect(page.get_by_label("Height", exact=True)).to_have_value("128")
    generate(page, "an upright house")
    expect(shown(page, "an upright house")).to_be_visible()
    recipe = jobs(server, "an upright house")[0]["images"][0]["recipe"]
    assert (recipe["width"], recipe["height"]) == (64, 128)


def test_another_scheduler_makes_the_picture(page: Page, server: Server) -> None:
    page.get_by_text("Advanced", exact=True).click()
    settled(page)
    expect(picker(page, "Scheduler")).to_have_value("Euler (flow matching), the model's own")
    choose(page, "Scheduler", "Heun (flow matching)")
    generate(page, "a scheduled house")
    expect(shown(page, "a scheduled house")).to_be_visible()
    recipe = jobs(server, "a scheduled house")[0]["images"][0]["recipe"]
    assert recipe["scheduler"] == "FlowMatchHeunDiscreteScheduler"


def test_more_like_this_makes_four_variations_of_the_same_seed(page: Page, server: Server) -> None:
    make_another(page, server, prompt="a varied hill", seed=5)
    page.reload()
    settled(page)
    button(page, "More like this").click()
    button(page, "Make 4 pictures").click()
    expect(page.get_by_role("group", name="Pictures of this job").get_by_role("button")).to_have_count(4)
    recipes = [image["recipe"] for image in jobs(server, "a varied hill")[0]["images"]]
    assert {recipe["seed"] for recipe in recipes} == {5}
    assert {recipe["variation_strength"] for recipe in recipes} == {0.15}
    assert len({recipe["sha256"] for recipe in recipes}) == 4

    button(page, "Reuse settings").click()
    expect(page.get_by_text("A variation: 0.15")).to_be_visible()
    button(page, "Make no variation").click()
    expect(page.get_by_text("A variation: 0.15")).to_be_hidden()


def test_other_seeds_makes_four_pictures_with_new_seeds(page: Page, server: Server) -> None:
    make_another(page, server, prompt="a seeded field", seed=5)
    page.reload()
    settled(page)
    button(page, "Other seeds").click()
    expect(page.get_by_role("group", name="Pictures of this job").get_by_role("button")).to_have_count(4)
    recipes = [image["recipe"] for image in jobs(server, "a seeded field")[0]["images"]]
    assert 5 not in {recipe["seed"] for recipe in recipes}
    assert {recipe["num_inference_steps"] for recipe in recipes} == {2}


def test_a_picture_of_ours_brings_all_its_settings_back(page: Page, server: Server) -> None:
    image = make_another(page, server, prompt="a dropped shell", seed=123, guidance_scale=2.5)
    drop(page, "shell.png", server.get(f"/api/v1/images/{image}/file").content)
    expect(prompt(page)).to_have_value("a dropped shell")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("123")
    expect(page.locator(".report")).to_contain_text("shell.png, all of them.")
    button(page, "Put the report away").click()
    expect(page.locator(".report")).to_be_hidden()


def test_a_picture_of_another_program_tells_what_could_not_be_had(page: Page) -> None:
    drop(page, "bridge.png", with_text(A1111))
    expect(prompt(page)).to_have_value("a stone bridge")
    expect(page.get_by_label("Negative prompt", exact=True)).to_have_value("people")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("77")
    expect(page.locator(".report")).to_contain_text("The model “nobody” is not known here; Tiny is used.")


def test_a_picture_without_settings_is_told_where_it_was_dropped(page: Page) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    drop(page, "plain.png", buffer.getvalue())
    expect(page.get_by_role("alert")).to_contain_text("carries no settings")
    expect(prompt(page)).to_have_value("")


def test_a_large_picture_passes_the_door(page: Page) -> None:
    drop(page, "large.png", with_text(A1111) + bytes(3 * 2**20))
    expect(prompt(page)).to_have_value("a stone bridge")


def test_the_history_finds_earlier_prompts_of_this_client_alone(
    page: Page, server: Server, open_page: Callable[..., Page]
) -> None:
    other = open_page()
    make_another(other, server, prompt="somebody else's secret")
    for words in ("a tin drum", "a tin roof", "a tin drum", "a glass bell"):
        make_another(page, server, prompt=words, seed=31)
    button(page, "History").click()
    past = page.locator(".st-key-history-list")
    expect(past.get_by_role("button", name="a tin drum", exact=True)).to_have_count(1)
    expect(past).not_to_contain_text("secret")
    page.get_by_label("Search your prompts").fill("tin ROOF")
    page.keyboard.press("Enter")
    expect(past).to_contain_text("1 in all")
    past.get_by_role("button", name="a tin roof", exact=True).click()
    expect(prompt(page)).to_have_value("a tin roof")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("-1")
    button(page, "History").click()
    button(page, "All settings of “a tin roof”").click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value("31")


def test_the_line_above_the_button_tells_time_and_memory(page: Page, server: Server) -> None:
    make_another(page, server, prompt="timed")
    page.reload()
    settled(page)
    expect(page.locator(".estimate")).to_contain_text(re.compile(r"(About|Less than) \d+ s"))
    expect(page.locator(".estimate")).to_contain_text("MB")
    expect(page.locator(".estimate")).to_have_attribute("title", re.compile("earlier picture"))
    choose(page, "Model", "Plain")
    expect(page.locator(".estimate")).to_contain_text("Time not known yet")


@pytest.mark.parametrize(("name", "kind"), [("JPEG", "JPEG"), ("WebP", "WEBP")])
def test_smaller_files_can_be_had_and_carry_the_recipe_too(page: Page, server: Server, name: str, kind: str) -> None:
    make_another(page, server, prompt=f"a {name} boat")
    page.reload()
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    with Image.open(download.value.path()) as picture:
        assert picture.format == kind
    recipe = read_recipe(download.value.path())
    assert recipe is not None
    assert recipe.prompt == f"a {name} boat"


def test_a_picture_is_marked_as_a_favourite_and_rated(page: Page, server: Server) -> None:
    image = make_another(page, server, prompt="a liked boat")
    page.reload()
    settled(page)
    button(page, "Favourite").click()
    expect(page.locator(".st-key-row-heart-on")).to_be_visible()
    page.get_by_test_id("stFeedback").get_by_role("radio").or_(
        page.get_by_test_id("stFeedback").get_by_role("button")
    ).nth(3).click()
    comes_true(page, f"/api/v1/images/{image}", "kept => kept.favourite && kept.rating === 4")
    expect(page.get_by_role("link", name="Gallery").last).to_have_attribute("href", re.compile(image))


def test_an_address_shows_a_picture_and_fills_the_form_with_its_settings(page: Page, server: Server) -> None:
    image = make_another(page, server, prompt="a linked boat", seed=99)
    make_another(page, server, prompt="a later boat")
    page.goto(f"{server.url}/?image={image}&reuse=1")
    settled(page)
    expect(shown(page, "a linked boat")).to_be_visible()
    expect(prompt(page)).to_have_value("a linked boat")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("99")
    expect(page).to_have_url(f"{server.url}/?image={image}")


def test_the_job_of_somebody_else_is_shown_but_cannot_be_cancelled_from_here(
    page: Page, server: Server, open_page: Callable[..., Page]
) -> None:
    job = begin_long_job(page, server, "not yours")
    other = open_page(path=f"/?job={job}")
    expect(other.locator(".left")).to_contain_text("step")
    expect(button(other, "Cancel")).to_have_count(0)
    expect(prompt(other)).to_have_value("")
    button(page, "Cancel").click()
    expect(other.get_by_role("progressbar")).to_be_hidden()


def test_a_picture_can_be_looked_at_while_a_job_runs(page: Page, server: Server) -> None:
    image = make_another(page, server, prompt="looked at")
    begin_long_job(page, server, "still under way")
    page.goto(f"{server.url}/?image={image}")
    settled(page)
    expect(shown(page, "looked at")).to_be_visible()
    expect(page.locator(".left")).to_contain_text("step")
    page.locator(".st-key-cancel").get_by_role("button").click()
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_what_one_person_types_is_not_in_anothers_form(page: Page, open_page: Callable[..., Page]) -> None:
    prompt(page).fill("a private thought")
    prompt(page).blur()
    settled(page)
    expect(prompt(open_page())).to_have_value("")


def test_on_a_phone_the_form_opens_from_the_page_and_leaves_the_picture_in_sight(page: Page, server: Server) -> None:
    on_a_phone(page, server)
    expect(prompt(page)).not_to_be_in_viewport()
    button(page, "Describe a picture").click()
    expect(prompt(page)).to_be_in_viewport()
    generate(page, "a small boat")
    expect(shown(page, "a small boat")).to_be_in_viewport()
    expect(prompt(page)).not_to_be_in_viewport()
    button(page, "Describe a picture").click()
    expect(prompt(page)).to_be_in_viewport()


def test_nobody_is_kept_out_at_desktop_and_phone_width(page: Page, server: Server) -> None:
    expect(page.locator(".st-key-about summary")).to_have_css("opacity", "0.85")  # our own style is there
    assert grave_violations(page) == []
    image = make_another(page, server, prompt="for everybody")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{server.url}/?image={image}")
    settled(page)
    expect(shown(page, "for everybody")).to_be_visible()
    prompt(page).fill("for everybody")
    prompt(page).blur()
    choose(page, "Style", "Watercolour")
    assert grave_violations(page) == []
    on_a_phone(page, server, f"/?image={image}")
    expect(shown(page, "for everybody")).to_be_visible()
    assert grave_violations(page) == []
    button(page, "Describe a picture").click()
    expect(prompt(page)).to_be_in_viewport()
    assert grave_violations(page) == []
