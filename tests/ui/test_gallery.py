"""The page with every picture, in a real browser, over real pictures on disk."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy
import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.events import Picture, SavedImage
from pipeline.gallery import Gallery, read_recipe
from tests.conftest import tiny_settings
from tests.gallery.pictures import make_recipe
from tests.ui.axe import grave_violations
from tests.ui.conftest import Server, follow, settled, start, stop

OLD = 62
"""Pictures that are there from the beginning: a page and two more."""
LOADED = "image => image.decode().then(() => image.naturalWidth)"
"""How wide a picture is, once it is there."""
PHONE = {"width": 390, "height": 844}
Keep = Callable[..., SavedImage]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """A studio with old pictures of several models and sizes."""
    settings = tiny_settings(tmp_path_factory.mktemp("gallery"), tiny_checkpoint)
    gallery = Gallery(settings.outputs, settings.database)
    for number in range(OLD):
        size = (96, 64) if number % 2 else (64, 64)
        model = "org/other" if number % 3 == 0 else "tiny"
        made = datetime(2025, 5, 1, 12, tzinfo=UTC) + timedelta(minutes=number)
        save(gallery, f"an old study {number}", number, size, model=model, created_at=made)
    gallery.close()
    server = start(settings, DARKROOM_PRELOAD="false")
    yield server
    stop(server)


@pytest.fixture(scope="module")
def keep(server: Server) -> Iterator[Keep]:
    """Puts another picture into the running studio's folder, as a script beside it would."""
    gallery = Gallery(server.outputs, server.outputs / ".darkroom" / "studio.db")
    seeds = count(1000)

    def put(prompt: str, size: tuple[int, int] = (64, 64), **changes: Any) -> SavedImage:
        return save(gallery, prompt, next(seeds), size, **({"created_at": datetime.now(UTC)} | changes))

    yield put
    gallery.close()


def save(gallery: Gallery, prompt: str, seed: int, size: tuple[int, int], **changes: Any) -> SavedImage:
    """A picture of smooth colours that depend on its seed."""
    width, height = size
    across, down = numpy.meshgrid(numpy.linspace(0, 1, width), numpy.linspace(0, 1, height))
    hue = numpy.stack([across, down, (across + seed / 7) % 1], axis=2)
    rgb = (40 + 180 * hue).astype(numpy.uint8).tobytes()
    fields = {"prompt": prompt, "seed": seed, "width": width, "height": height, "model": "tiny"} | changes
    return gallery.save(Picture(0, rgb, make_recipe(rgb, **fields)), f"job-{seed}")


def gallery(page: Page, server: Server, address: str = "") -> Page:
    """Open the gallery at an address."""
    page.goto(f"{server.url}/gallery{address}")
    settled(page)
    return page


def tiles(page: Page) -> Locator:
    return page.get_by_role("option")


def tile(page: Page, words: str) -> Locator:
    return tiles(page).filter(has=page.get_by_alt_text(re.compile(words)))


def search(page: Page, words: str) -> None:
    box = page.get_by_label("Search")
    box.fill(words)
    box.press("Enter")


def choose(page: Page, *prompts: str) -> None:
    """Select tiles by their round ticks."""
    for number, words in enumerate(prompts, 1):
        tile(page, words).hover()
        tile(page, words).locator(".check").click()
        expect(page.get_by_text(f"{number} selected")).to_be_visible()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


def assert_accessible(page: Page) -> None:
    """Nothing grave, once the page is drawn: what is about to go is dimmed until then."""
    settled(page)
    assert grave_violations(page) == []


def listed(server: Server, words: str) -> list[dict[str, Any]]:
    """What the API finds for those words, newest first."""
    images: list[dict[str, Any]] = server.get(f"/api/v1/images?text={words}&limit=200").json()["images"]
    return images


def test_every_picture_is_there_newest_first_and_the_rest_on_further_pages(page: Page, server: Server) -> None:
    gallery(page, server, "?until=2025-05-01")
    expect(tiles(page)).to_have_count(60)
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile("an old study 61"))
    assert tiles(page).first.locator("img").evaluate(LOADED) == 96

    page.get_by_role("button", name="Page 2").click()
    expect(tiles(page)).to_have_count(2)
    expect(page).to_have_url(re.compile("page=2"))
    page.go_back()
    expect(tiles(page)).to_have_count(60)


def test_a_search_tells_how_much_it_found_and_survives_a_reload(page: Page, server: Server, keep: Keep) -> None:
    keep("a fox in the rain")
    keep("a fox in the sun")
    gallery(page, server)
    search(page, "FOX rain")
    expect(tiles(page)).to_have_count(1)
    expect(page.get_by_text(re.compile(r"^1 of \d+ pictures$"))).to_be_visible()
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("FOX rain")
    expect(tiles(page)).to_have_count(1)
    button(page, "Show all").click()
    expect(page.get_by_label("Search")).to_have_value("")
    expect(tiles(page)).to_have_count(60)


def test_filters_say_how_many_pictures_there_are_and_stand_in_the_address(page: Page, server: Server) -> None:
    gallery(page, server)
    button(page, "Filters").click()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="org/other · 21").click()
    expect(tiles(page)).to_have_count(21)
    page.get_by_role("combobox", name="Size").click()
    page.get_by_role("option", name=re.compile("96 × 64")).click()
    expect(tiles(page)).to_have_count(10)
    expect(page).to_have_url(re.compile(r"model=org%2Fother&size=96x64"))
    expect(button(page, "Filters · 2")).to_be_visible()


def test_a_search_that_finds_nothing_says_so_and_leads_back_to_all(page: Page, server: Server) -> None:
    gallery(page, server, "?q=unheard+of")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    expect(page.get_by_text("for “unheard of”")).to_be_visible()
    button(page, "Show all").click()
    expect(tiles(page)).to_have_count(60)


def test_an_empty_gallery_leads_to_the_page_that_fills_it(
    open_page: Callable[..., Page], tmp_path: Path, tiny_checkpoint: Path
) -> None:
    page = open_page()
    empty = start(tiny_settings(tmp_path, tiny_checkpoint), DARKROOM_PRELOAD="false")
    gallery(page, empty)
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    page.get_by_role("link", name="Make the first one").click()
    expect(button(page, "Generate image")).to_be_visible()
    page.goto("about:blank")
    stop(empty)


def test_a_picture_opens_with_its_recipe_and_arrow_keys_lead_to_the_next(
    page: Page, server: Server, keep: Keep
) -> None:
    keep("a heron, the first")
    second = keep("a heron, the second")
    gallery(page, server, "?q=heron")
    tile(page, "the second").click()
    picture = page.locator(".viewer .picture")
    expect(picture).to_have_attribute("alt", "a heron, the second")
    expect(page.get_by_text("1 of 2")).to_be_visible()
    expect(page).to_have_url(re.compile(f"image={second.id}"))
    assert second.path is not None
    expect(page.get_by_text(second.path.name)).to_be_visible()
    button(page, "Older picture").click()
    expect(picture).to_have_attribute("alt", "a heron, the first")
    page.keyboard.press("ArrowLeft")
    expect(picture).to_have_attribute("alt", "a heron, the second")
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(tile(page, "the second")).to_be_focused()


def test_an_address_with_a_picture_opens_it_wherever_it_lies(page: Page, server: Server, keep: Keep) -> None:
    keep("newer than that")
    oldest = listed(server, "old study")[-1]
    gallery(page, server, f"?image={oldest['id']}")
    expect(page.locator(".viewer .picture")).to_have_attribute("alt", "an old study 0")
    button(page, "Newer picture").click()
    expect(page.locator(".viewer .picture")).to_have_attribute("alt", "an old study 1")
    gallery(page, server, "?image=0000000000000000")
    expect(page.get_by_text("There is no image 0000000000000000.")).to_be_visible()


def test_a_heart_and_stars_are_kept_and_can_be_searched_for(page: Page, server: Server, keep: Keep) -> None:
    keep("an owl that is liked")
    keep("an owl that is not")
    gallery(page, server, "?q=owl")
    tile(page, "is liked").hover()
    tile(page, "is liked").locator(".heart").click()
    expect(tile(page, "is liked")).to_have_attribute("aria-label", re.compile("favourite"))
    tile(page, "is liked").click()
    expect(button(page, "♥ Favourite")).to_be_visible()
    page.get_by_role("radio", name="4 out of 5 stars").click()
    expect(page.get_by_role("radio", name="4 out of 5 stars")).to_be_checked()
    page.keyboard.press("Escape")
    button(page, "All pictures").click()
    expect(tile(page, "is liked")).to_have_attribute("aria-label", re.compile("favourite, 4 of 5 stars"))
    assert [(one["favourite"], one["rating"]) for one in listed(server, "liked")] == [(True, 4)]

    page.get_by_role("radio", name="Favourites").click()
    expect(tiles(page)).to_have_count(1)
    gallery(page, server, "?q=owl&rating=4")
    expect(tiles(page)).to_have_count(1)


def test_a_deleted_picture_comes_back_with_one_click(page: Page, server: Server, keep: Keep) -> None:
    image = keep("a hare to be missed")
    gallery(page, server, "?q=hare")
    choose(page, "hare")
    button(page, "Delete").click()
    expect(page.get_by_text("1 picture deleted.")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    assert image.path is not None
    assert not image.path.exists()
    button(page, "Undo").click()
    expect(tile(page, "hare")).to_be_visible()
    assert image.path.exists()


def test_deleted_pictures_can_be_looked_at_restored_or_removed_for_good(page: Page, server: Server, keep: Keep) -> None:
    for words in ("a crow that stays", "a crow that goes"):
        keep(words)
    gallery(page, server, "?q=crow")
    choose(page, "stays", "goes")
    button(page, "Delete").click()
    expect(page.get_by_text("2 pictures deleted.")).to_be_visible()
    button(page, "More").click()
    page.get_by_role("menuitem", name="Deleted pictures").click()
    expect(page.get_by_role("heading", name="Deleted pictures")).to_be_visible()
    expect(tiles(page)).to_have_count(2)

    tile(page, "stays").click()
    expect(page.locator(".viewer .picture")).to_have_attribute("alt", "a crow that stays")
    button(page, "Restore").click()
    expect(tiles(page)).to_have_count(1)
    button(page, "Empty the trash").click()
    button(page, "Remove for good").click()
    expect(page.get_by_role("heading", name="Nothing is deleted")).to_be_visible()
    assert [one["recipe"]["prompt"] for one in listed(server, "crow")] == ["a crow that stays"]


def test_a_selection_is_made_by_keyboard_and_downloads_as_one_folder(page: Page, server: Server, keep: Keep) -> None:
    for number in range(4):
        keep(f"a wren, number {number}")
    gallery(page, server, "?q=wren")
    tiles(page).first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Space")
    expect(page.get_by_text("3 selected")).to_be_visible()
    expect(page.get_by_role("option", selected=True)).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        pngs = [name for name in archive.namelist() if name.endswith(".png")]
        prompts = {read_recipe(archive.read(name)).prompt for name in pngs}  # type: ignore[union-attr]
    assert prompts == {f"a wren, number {number}" for number in (3, 2, 1)}
    tiles(page).first.press("Escape")
    expect(page.get_by_text("3 selected")).to_have_count(0)


def test_two_pictures_are_compared_in_step_by_slider_and_in_numbers(page: Page, server: Server, keep: Keep) -> None:
    keep("a kite, first try", guidance_scale=2.0)
    keep("a kite, second try")
    gallery(page, server, "?q=kite")
    choose(page, "first", "second")
    button(page, "Compare").click()
    panes = page.locator(".panes figure img")
    expect(panes).to_have_count(2)
    button(page, "Larger").click()
    assert len(set(panes.evaluate_all("all => all.map(one => one.style.transform)"))) == 1
    expect(page.get_by_role("table")).to_contain_text("Guidance")
    assert_accessible(page)
    page.get_by_text("Slider", exact=True).click()
    expect(page.get_by_role("slider")).to_be_visible()
    expect(page.get_by_text("PSNR")).to_be_visible()
    page.get_by_text("Difference", exact=True).click()
    shown = page.get_by_alt_text("Where A and B differ")
    assert shown.evaluate(LOADED) == 64
    page.reload()
    expect(panes).to_have_count(2)


def test_the_settings_of_a_picture_go_back_into_the_form(page: Page, server: Server, keep: Keep) -> None:
    image = keep("a stork to be made again")
    gallery(page, server, f"?image={image.id}")
    button(page, "Reuse these settings").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a stork to be made again")
    expect(page.get_by_role("spinbutton", name="Seed", exact=True)).to_have_value(str(image.seed))


def test_a_picture_is_worked_from_and_enlarged_in_create(page: Page, server: Server, keep: Keep) -> None:
    image = keep("a heron to work from")
    gallery(page, server, f"?image={image.id}")
    button(page, "Work from this").click()
    button(page, "Extend it").click()
    expect(page.get_by_alt_text("The picture to work from")).to_be_visible()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a heron to work from")
    page.get_by_label("Left", exact=True).fill("16")
    page.get_by_label("Left", exact=True).blur()
    expect(page.get_by_text("Becomes 80 × 64")).to_be_visible()

    gallery(page, server, f"?image={image.id}")
    button(page, "Work from this").click()
    button(page, "Enlarge × 2").click()
    made = page.locator('.print img[alt="a heron to work from"]')
    expect(made).to_have_attribute("width", "128")
    assert server.get(made.get_attribute("src") or "").status_code == 200


def test_a_picture_is_verified_and_downloads_in_three_formats(page: Page, server: Server, keep: Keep) -> None:
    image = keep("a swan as it was")
    gallery(page, server, f"?image={image.id}")
    button(page, "Verify").click()
    expect(page.locator(".verdict.intact")).to_contain_text("Every pixel is as it was made")
    for name in ("PNG", "JPEG", "WebP"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        recipe = read_recipe(download.value.path().read_bytes())
        assert recipe is not None
        assert recipe.prompt == "a swan as it was"


def test_a_picture_is_made_again_and_is_identical_or_both_can_be_looked_at(
    page: Page, server: Server, keep: Keep
) -> None:
    follow(server, prompt="a crane that comes again", num_inference_steps=2, seed=3)
    [made] = server.get("/api/v1/images?text=crane that comes again").json()["images"]
    gallery(page, server, f"?image={made['id']}")
    button(page, "Make it again and compare").click()
    expect(page.locator(".verdict.identical")).to_contain_text("every pixel is as the recipe says")

    image = keep("a crane of another machine", device="cuda:0 (A GPU)", num_inference_steps=2)
    gallery(page, server, f"?image={image.id}")
    button(page, "Make it again and compare").click()
    expect(page.locator(".verdict.different")).to_contain_text("It was computed on cuda:0 (A GPU) then, cpu")
    button(page, "Look at both").click()
    expect(page.get_by_role("slider")).to_be_visible()


def test_files_that_were_moved_or_deleted_meanwhile_are_noticed(page: Page, server: Server, keep: Keep) -> None:
    gone, moved = keep("a moth that is gone"), keep("a moth that moves")
    gallery(page, server, "?q=moth")
    expect(tiles(page)).to_have_count(2)
    for number in range(2):
        tiles(page).nth(number).locator("img").evaluate(LOADED)
    assert gone.path is not None
    assert moved.path is not None
    gone.path.unlink()
    (server.outputs / "best").mkdir()
    moved.path.rename(server.outputs / "best" / "moth.png")
    page.reload()
    expect(tiles(page)).to_have_count(1)
    tile(page, "moves").click()
    expect(page.get_by_text("best/moth.png")).to_be_visible()


def test_the_index_is_read_anew_and_the_page_tells_what_it_found(page: Page, server: Server) -> None:
    gallery(page, server)
    button(page, "More").click()
    page.get_by_role("menuitem", name="Rebuild the index").click()
    expect(page.get_by_text(re.compile(r"Read the files again: \d+ pictures found\."))).to_be_visible()
    button(page, "Dismiss").click()
    expect(page.get_by_text("Read the files again")).to_have_count(0)


def test_prompts_are_shown_as_they_are_written(page: Page, server: Server, keep: Keep) -> None:
    words = "a <b>bold</b> & *plain* newt"
    keep(words)
    gallery(page, server, "?q=newt")
    expect(tiles(page).first.locator("img")).to_have_attribute("alt", re.compile(re.escape(words)))
    tiles(page).first.click()
    expect(page.get_by_role("heading", name=words)).to_be_visible()


def test_the_gallery_is_accessible_and_works_on_a_phone(page: Page, server: Server) -> None:
    gallery(page, server)
    expect(tiles(page)).to_have_count(60)
    assert_accessible(page)
    page.set_viewport_size(PHONE)
    gallery(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tiles(page).nth(1).locator(".check").click()
    expect(page.get_by_text("1 selected")).to_be_in_viewport()
    assert_accessible(page)
    tiles(page).nth(2).click()
    expect(page.locator(".viewer .picture")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert_accessible(page)
