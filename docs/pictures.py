"""Makes the pictures of the documents with the studio itself: `python -m docs.pictures`.

    docs/assets/inference-steps.jpg, guidance-scale.jpg,
    docs/assets/variations.jpg, schedulers.jpg              one setting at several values, all else the same
    docs/assets/strength.jpg, fit.jpg, mask.jpg,
    docs/assets/outpaint.jpg                                what is made from a picture
    docs/assets/upscalers.jpg                               a piece of a scene, enlarged in several ways
    docs/assets/follow.jpg                                  what follows the edges of a picture
    docs/assets/studio.png, studio-dark.png, phone.png      Create after a picture
    docs/assets/gallery.png, compare.png, lab.png …         the other pages, wide and on a phone
    docs/assets/mask.png, mask-phone.png, repainted.png     a part of a picture painted over, and what becomes of it
    docs/assets/chain.png                                   a chain in the form, and what came of it
    docs/assets/following.png                               the edges of a picture, and a result that follows them
    docs/assets/hosted.png                                  the providers of hosted models on Models
    docs/assets/run.gif                                     a whole run, recorded in a browser

Everything is the demo model's. Needs what the tests need: a browser.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, ViewportSize

from demo.upscaler.data import FACTOR, draw, smaller
from demo.upscaler.evaluate import METHODS
from pipeline.models import schedulers
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.browser import launched
from tests.ui.bring import bring
from tests.ui.conftest import Server, follow, settled, start, stop

ASSETS = Path(__file__).with_name("assets")
SCENE = "a little town in the mountains at night"
SEED = 4
STEPS = (4, 8, 16, 28, 40)
GUIDANCE = (1.0, 2.0, 3.5, 5.0, 7.0)
VARIATION_STRENGTHS = (0, 0.1, 0.2, 0.4, 1)
VARIATION_SEED = 9
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
ANOTHER = "a little town in the mountains at noon, snow"
LAKE = "trees by a lake at sunset"
BOAT, BALLOON = "a red sailboat on a lake at sunset", "a yellow hot-air balloon over a lake at sunset"
SIDES = {"left": 128, "right": 128}
FOLLOWED, FOLLOWING = "a red house in the mountains at noon", "a yellow house at sunset"
MASKED = (64, 40, 200, 210)
"""Left, top, right and bottom."""
ENLARGED, PIECE = 5, (420, 380, 700, 660)
"""A scene, and a part of it 1024 pixels wide: left, top, right and bottom."""
FEW = 3
"""Steps, so few that schedulers differ."""
RUN = "a ghost town in the style of a Wes Anderson movie"
BEFORE = (
    "a yellow hot-air balloon over the mountains at noon",
    "a lighthouse by the sea at night",
    "a purple castle in the hills at dawn",
    "a red sailboat on a lake at sunset",
)
REPAINTED, REPAINTED_SEED = "a lighthouse by the lake at sunset", 7
PART = (
    *((0.5, 0.2), (0.42, 0.3), (0.6, 0.3), (0.36, 0.42), (0.64, 0.42), (0.32, 0.54)),
    *((0.68, 0.54), (0.3, 0.66), (0.7, 0.66), (0.34, 0.78), (0.66, 0.78)),
)
"""What is painted over of the red sailboat, as parts of its width and height."""
CHAIN_NAME = "Nightfall"
CHAIN: dict[str, Any] = {
    "prompt": "a little town in the mountains at noon",
    "then": [{"strength": 0.9, "prompt": "a little town in the mountains at night under the stars"}],
}
BETWEEN_FRAMES = 0.08
"""Seconds, at least."""
MARGIN, CAPTION = 12, 34
PAPER, INK = "#faf6ef", "#2b2320"
DESKTOP, TALL, PHONE = (ViewportSize(width=w, height=h) for w, h in ((1440, 900), (1440, 1500), (390, 844)))
RECENT = ".sheet.many img"
"""In the strip at the end of Create."""
ANY_PICTURE = "[data-testid=stMain] img"
GRID = {
    "base": {"prompt": "a red sailboat on a lake at sunset", "seed": SEED},
    "columns": {"field": "num_inference_steps", "values": [2, 4, 8, 28]},
    "rows": {"field": "guidance_scale", "values": [1, 3.5, 7]},
}
LAB = {
    "base": {"prompt": "a purple castle in the hills at dawn", "seed": SEED},
    "columns": {"field": "quantization", "values": ["none", "int8", "nf4"]},
}


def main() -> None:
    """Make them all."""
    ASSETS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        strips(folder)
        from_pictures(folder)
        enlarged()
        along_edges(folder)
        with served(folder) as server, launched() as chromium:
            for prompt in BEFORE:
                follow(server, prompt=prompt, seed=SEED)
            record_run(chromium, server)
            screenshots(chromium, server)
            repainting(chromium, server)
            chaining(chromium, server)
            following(chromium, server, folder / "followed.png")
            providers(chromium, server)


@dataclass(frozen=True)
class Shot:
    """A page at an address, in one look."""

    name: str
    address: str
    ready: str
    """Selector of what must be there."""
    size: ViewportSize
    scheme: Literal["light", "dark"] = "light"


def strips(folder: Path) -> None:
    """One prompt and seed, with one setting at several values."""
    with Studio(demo_settings(folder)) as studio:
        own = schedulers.of(studio.default.record)
        for name, settings in (
            ("inference-steps", {f"steps {value}": {"num_inference_steps": value} for value in STEPS}),
            ("guidance-scale", {f"guidance {value:g}": {"guidance_scale": value} for value in GUIDANCE}),
            ("variations", {f"strength {value:g}": variation(value) for value in VARIATION_STRENGTHS}),
            (
                "schedulers",
                {schedulers.label(value): {"scheduler": value, "num_inference_steps": FEW} for value in own},
            ),
        ):
            made = [studio.generate(SCENE, seed=SEED, **fields)[0].open() for fields in settings.values()]
            strip(made, list(settings)).save(ASSETS / f"{name}.jpg", quality=88)


def from_pictures(folder: Path) -> None:
    """One picture, and what comes of it."""
    with Studio(demo_settings(folder)) as studio:
        town, boat = (studio.generate(prompt, seed=SEED)[0].open() for prompt in (SCENE, BOAT))
        masked = Image.new("L", boat.size)
        masked.paste(255, MASKED)
        wide = boat.resize((2 * boat.width, boat.height)).crop((64, 0, 448, 256))

        def drawn(prompt: str, **fields: Any) -> Image.Image:
            return studio.generate(prompt, seed=SEED + 1, **fields)[0].open()

        for name, pictures in (
            (
                "strength",
                {"from this": town}
                | {f"strength {value:g}": drawn(ANOTHER, image=town, strength=value) for value in STRENGTHS},
            ),
            (
                "fit",
                {"from this": wide}
                | {fit: drawn(BOAT, image=wide, strength=0.3, fit=fit) for fit in ("crop", "pad", "resize")},
            ),
            (
                "mask",
                {"from this": boat, "the mask": veiled(boat, masked)}
                | {
                    "whole": drawn(BALLOON, image=boat, mask=masked),
                    "masked": drawn(BALLOON, image=boat, mask=masked, mask_area="masked"),
                    "strength 0.6": drawn(BALLOON, image=boat, mask=masked, strength=0.6),
                },
            ),
            ("outpaint", {"from this": boat, "128 left, 128 right": drawn(LAKE, image=boat, outpaint=SIDES)}),
        ):
            strip(list(pictures.values()), list(pictures)).save(ASSETS / f"{name}.jpg", quality=88)


def enlarged() -> None:
    """A piece of a scene that no training saw: made smaller and enlarged in three ways, and as it was drawn."""
    large = draw("validation", ENLARGED, FACTOR)
    small = smaller(large, "box")
    made = {name: enlarge(small, large.size) for name, enlarge in METHODS.items()} | {"drawn large": large}
    pieces = [picture.crop(PIECE) for picture in made.values()]
    strip(pieces, list(made)).save(ASSETS / "upscalers.jpg", quality=92)


def along_edges(folder: Path) -> None:
    """The edges of a picture, and other words that follow them or do not."""
    with Studio(demo_settings(folder)) as studio:
        source = studio.generate(FOLLOWED, seed=SEED)[0].open()
        source.save(folder / "followed.png")
        edges = studio.desk.take_edges(source).id

        def drawn(**fields: Any) -> Image.Image:
            controls = [{"net": "demo-canny", "image": edges} | fields] if fields else []
            return studio.generate(FOLLOWING, seed=SEED + 1, controls=controls)[0].open()

        pictures = {"from this": source, "its edges": studio.inputs.get(edges), "without": drawn()}
        pictures |= {f"scale {scale:g}": drawn(scale=scale) for scale in (0.5, 1.0, 1.5)}
        pictures |= {"until half": drawn(end=0.5)}
        strip(list(pictures.values()), list(pictures)).save(ASSETS / "follow.jpg", quality=88)


def veiled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture as one sees it while the mask is painted."""
    return Image.composite(Image.blend(picture, Image.new("RGB", picture.size, "crimson"), 0.6), picture, mask)


def variation(strength: float) -> dict[str, float]:
    """The settings of a variation of that strength."""
    return {"variation_strength": strength, "variation_seed": VARIATION_SEED}


def strip(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """The pictures side by side, each with its caption below."""
    height = max(picture.height for picture in pictures)
    across = sum(picture.width + MARGIN for picture in pictures) + MARGIN
    sheet = Image.new("RGB", (across, height + MARGIN + CAPTION), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    left = MARGIN
    for picture, caption in zip(pictures, captions, strict=True):
        sheet.paste(picture, (left, MARGIN))
        draw.text((left + picture.width / 2, MARGIN + height + CAPTION / 2), caption, INK, font, anchor="mm")
        left += picture.width + MARGIN
    return sheet


def record_run(chromium: Browser, server: Server) -> None:
    """From an empty prompt to the picture, as an animated GIF."""
    page = opened(chromium, server, DESKTOP)
    frames = [frame(page.screenshot())]
    page.get_by_label("Prompt", exact=True).fill(RUN)
    frames.append(frame(page.screenshot()))
    with screencast(page) as painted:
        page.get_by_role("button", name="Generate image").click()
        page.locator(f'.print img[alt="{RUN}"]').wait_for()
    settled(page)
    page.wait_for_load_state("networkidle")
    frames += [frame(image) for image in painted.values()] + [frame(page.screenshot())]
    times = [round(1000 * second) for second in painted]
    pause = [900, 1200, *(after - before for before, after in pairwise(times)), 100, 3500]
    frames[0].save(
        ASSETS / "run.gif", save_all=True, append_images=frames[1:], duration=pause, loop=0, optimize=True, disposal=1
    )
    page.context.close()


@contextmanager
def screencast(page: Page) -> Iterator[dict[float, bytes]]:
    """What the browser paints meanwhile, more often than screenshots could be taken: seconds → PNG."""
    painted: dict[float, bytes] = {}
    session = page.context.new_cdp_session(page)

    def keep(event: dict[str, Any]) -> None:
        now = event["metadata"]["timestamp"]
        if now - max(painted, default=0) > BETWEEN_FRAMES:
            painted[now] = base64.b64decode(event["data"])
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "png"})
    yield painted
    session.send("Page.stopScreencast")


def frame(png: bytes) -> Image.Image:
    """The page as one frame: small, with few colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return image.resize((960, 600), Image.Resampling.LANCZOS).quantize(96, dither=Image.Dither.NONE)


def screenshots(chromium: Browser, server: Server) -> None:
    """Every page, with pictures and comparisons in it."""
    latest = server.get("/api/v1/images?limit=1").json()["images"][0]["id"]
    create, gallery = f"/?image={latest}", "/gallery"
    grid, lab = (f"/compare?comparison={compared(server, sheet)}" for sheet in (GRID, LAB))
    for favourite in server.get("/api/v1/images?text=castle").json()["images"][:1]:
        httpx.patch(f"{server.url}/api/v1/images/{favourite['id']}", json={"favourite": True, "rating": 5})
    for shot in (
        Shot("studio", create, RECENT, DESKTOP),
        Shot("studio-dark", create, RECENT, DESKTOP, "dark"),
        Shot("phone", create, RECENT, PHONE),
        Shot("gallery", gallery, ANY_PICTURE, DESKTOP),
        Shot("gallery-phone", gallery, ANY_PICTURE, PHONE),
        Shot("picture", f"/gallery?image={latest}", ANY_PICTURE, DESKTOP),
        Shot("compare", grid, ANY_PICTURE, DESKTOP),
        Shot("compare-phone", grid, ANY_PICTURE, PHONE),
        Shot("lab", lab, ANY_PICTURE, TALL),
        Shot("models", "/models", ".model", DESKTOP),
        Shot("models-phone", "/models", ".model", PHONE),
        Shot("system", "/system", ".check", DESKTOP),
        Shot("system-phone", "/system", ".check", PHONE),
    ):
        take(chromium, server, shot)


def repainting(chromium: Browser, server: Server) -> None:
    """A part of a picture painted over, wide and on a phone, and the result over what it was made from."""
    image = server.get("/api/v1/images?text=sailboat").json()["images"][0]["id"]
    phone = opened(chromium, server, PHONE, f"/?image={image}")
    paint(phone)
    phone.screenshot(path=ASSETS / "mask-phone.png")
    phone.context.close()
    page = opened(chromium, server, DESKTOP, f"/?image={image}")
    paint(page)
    page.screenshot(path=ASSETS / "mask.png")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("dialog").wait_for(state="detached")
    settled(page)
    page.get_by_label("Prompt", exact=True).fill(REPAINTED)
    page.get_by_label("Seed", exact=True).fill(str(REPAINTED_SEED))
    page.get_by_role("button", name="Generate image").click()
    page.locator(f'.print img[alt="{REPAINTED}"]').wait_for()
    page.get_by_text("Before and after").click()
    page.get_by_role("slider", name="Between Before and After").wait_for()
    settled(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=ASSETS / "repainted.png")
    page.context.close()


def chaining(chromium: Browser, server: Server) -> None:
    """A kept chain taken into the form, and what it makes."""
    httpx.put(f"{server.url}/api/v1/chains/{CHAIN_NAME}", json=CHAIN, timeout=60).raise_for_status()
    page = opened(chromium, server, DESKTOP, "/")
    page.get_by_text("Hand it on").click()
    page.get_by_role("button", name="Kept chains").click()
    page.get_by_role("button", name=CHAIN_NAME, exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_label("Prompt", exact=True).fill(CHAIN["prompt"])
    page.get_by_label("Seed", exact=True).fill(str(SEED))
    page.get_by_role("button", name="Generate image").click()
    page.locator(f'.print img[alt="{CHAIN["then"][0]["prompt"]}"]').wait_for(timeout=120_000)
    page.get_by_role("button", name="Add a stage").scroll_into_view_if_needed()
    settled(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=ASSETS / "chain.png")
    page.context.close()


def following(chromium: Browser, server: Server, source: Path) -> None:
    """A picture is brought along, and other words follow its edges."""
    page = opened(chromium, server, DESKTOP)
    page.get_by_text("Follow a map").click()
    bring(page, "A map, or a picture with edges", source.read_bytes())
    page.get_by_alt_text("The map to follow").wait_for()
    settled(page)
    page.get_by_label("Prompt", exact=True).fill(FOLLOWING)
    page.get_by_role("button", name="Generate image").click()
    page.locator(f'.print img[alt="{FOLLOWING}"]').wait_for(timeout=120_000)
    settled(page)
    page.screenshot(path=ASSETS / "following.png")
    page.context.close()


def providers(chromium: Browser, server: Server) -> None:
    """Who makes pictures elsewhere, and what each asks for."""
    page = opened(chromium, server, DESKTOP, "/models")
    page.get_by_test_id("stButtonGroup").get_by_text("Hosted", exact=True).click()
    page.locator(".st-key-hosted").wait_for()
    settled(page)
    page.screenshot(path=ASSETS / "hosted.png")
    page.context.close()


def paint(page: Page) -> None:
    """From a picture to the editor with its part painted over."""
    page.get_by_role("button", name="Work from this").click()
    page.get_by_role("button", name="Repaint a part").click()
    settled(page)
    if page.viewport_size == PHONE:
        page.get_by_role("button", name="Describe a picture").click()
    page.get_by_role("button", name="Paint the part").click()
    sheet = page.locator(".stage .sheet")
    sheet.wait_for()
    settled(page)
    box = sheet.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
    for place, (x, y) in enumerate(PART):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if place == 0:
            page.mouse.down()
    page.mouse.up()
    page.locator(".told", has_text="% is drawn anew.").wait_for()
    settled(page)


def compared(server: Server, comparison: dict[str, Any]) -> str:
    """Have a comparison made, and return its id."""
    made: dict[str, Any] = httpx.post(f"{server.url}/api/v1/comparisons", json=comparison).json()
    for cell in made["cells"]:
        httpx.get(f"{server.url}/api/v1/jobs/{cell['job']['id']}/events", timeout=300)
    return str(made["id"])


def take(chromium: Browser, server: Server, shot: Shot) -> None:
    """Make one screenshot."""
    page = opened(chromium, server, shot.size, shot.address, color_scheme=shot.scheme)
    page.locator(shot.ready).first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth)")
    page.wait_for_function("document.querySelector('[data-testid=stSkeleton]') === null")
    page.screenshot(path=ASSETS / f"{shot.name}.png")
    page.context.close()


def opened(chromium: Browser, server: Server, size: ViewportSize, address: str = "/", **options: Any) -> Page:
    """A page of the studio in a new browser of that size."""
    page = chromium.new_context(viewport=size, **options).new_page()
    page.goto(server.url + address)
    settled(page)
    return page


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """The studio with the demo model."""
    server = start(demo_settings(folder / "served"), DARKROOM_MODEL="auto")
    yield server
    stop(server)


def demo_settings(folder: Path) -> Settings:
    """Settings of a studio that draws with the demo model into `folder`."""
    return Settings(_env_file=None, model="demo", outputs=folder / "outputs", cache=folder / "cache")


if __name__ == "__main__":
    main()
