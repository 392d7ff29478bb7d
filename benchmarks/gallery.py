"""A gallery of 5,000 pictures: how soon its first page is there, how fast it searches, what 200 page views cost.

    .venv/bin/python -m benchmarks.gallery

The pictures are real PNGs of 256 × 256 pixels with recipes inside, written as the studio writes them. A page is there
when every picture in the window is there. The first opening also makes the thumbnails; later ones find them on disk,
in browsers with an empty cache, in turns with a Streamlit page that has nothing on it but a word, which tells how
much of the time is the frame's; and last in one that has been here before. Page views go through all pages of the
gallery, each in a new session, and the memory is that of the web process alone. No model is loaded meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.measure import PATIENCE, Server, middle, server, table
from pipeline.events import Picture
from pipeline.gallery import files
from pipeline.gallery.metadata import Origin, encode_png
from pipeline.recipe import Recipe
from tests.browser import launched

COUNT, SIDE = 5000, 256
OPENINGS, SEARCHES, VIEWS = 7, 30, 200
LOOKED_AT = (20, 100, 200)
"""Page views after which the memory is read."""
PAGES = 80
COLOURS = ("red", "blue", "yellow", "green", "white", "purple")
THINGS = ("lighthouse", "castle", "balloon", "sailboat", "house", "mountain", "ghost town")
SEEN = """() => {
  const grid = [...document.querySelectorAll('*')].map(one => one.shadowRoot?.querySelector('.grid')).find(Boolean);
  const pictures = [...(grid?.querySelectorAll('img') ?? [])];
  const inside = pictures.filter(one => one.getBoundingClientRect().top < innerHeight);
  return inside.length > 0 && inside.every(one => one.complete && one.naturalWidth);
}"""
"""Whether every picture in the window is there."""
BARE = "import streamlit\nstreamlit.html('<p class=word>A word</p>')\n"
WORD = "() => document.querySelector('.word') !== null"


def main() -> None:
    """Fill a folder, open it, search it, and look at it for a while."""
    os.environ["DARKROOM_PRELOAD"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder)
        fill(outputs)
        (script := outputs / "bare.py").write_text(BARE)
        with server(outputs) as running, server(script=str(script)) as bare, launched() as chromium:
            alive = running.wait_until_alive()
            first = first_page(chromium, running)
            fresh, frame = in_turns(chromium, running, bare)
            again = later_pages(chromium, running)
            searches = [search(running, number) for number in range(SEARCHES)]
            memory = views(chromium, running)
    ratios = [ours / theirs for ours, theirs in zip(fresh, frame, strict=True)]
    grown = memory[LOOKED_AT[-1]] - memory[LOOKED_AT[0]]
    rows = [
        ("first page in the browser, seconds", middle(fresh), "≤ 1.5"),
        (
            "÷ a Streamlit page with nothing on it",
            middle(ratios),
            "",
        ),
        ("the same in a browser that was here before, seconds", middle(again), "≤ 1.5"),
        ("the same when its thumbnails are not made yet, seconds", f"{first:.2f}", ""),
        ("search on the server, seconds", middle(searches, 3), "≤ 0.3"),
        ("start of the server with pictures it does not know, seconds", f"{alive:.2f}", ""),
        *((f"memory of the web process after {view} page views, MiB", f"{memory[view]:.0f}", "") for view in LOOKED_AT),
        (f"growth from view {LOOKED_AT[0]} to view {LOOKED_AT[-1]}, MiB", f"{grown:+.0f}", "0"),
    ]
    table(f"Gallery of {COUNT:,} pictures", rows)


def fill(outputs: Path) -> None:
    """Write the pictures, on every core: compressing is most of the work."""
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda number: write(outputs, number), range(COUNT)):
            pass


def write(outputs: Path, number: int) -> None:
    """One picture under the name that the studio would give it, a minute apart from the next."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((SIDE, SIDE))
    grain = random.integers(0, 9, (SIDE, SIDE, 3), dtype=np.uint8)
    rgb = (np.asarray(coarse) // 2 + 60 + grain).astype(np.uint8).tobytes()
    recipe = made(number, rgb)
    path = outputs / files.folder_name(recipe.model) / f"{files.stem(recipe)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(Picture(0, rgb, recipe), Origin(id=f"{number:016x}", job_id=f"job-{number}", index=0)))


def made(number: int, rgb: bytes) -> Recipe:
    """A recipe with a prompt that some of the others share words with."""
    prompt = f"a {COLOURS[number % len(COLOURS)]} {THINGS[number % len(THINGS)]} by the sea, study {number}"
    return Recipe(
        prompt=prompt,
        negative_prompt="fog" if number % 3 else "",
        model="darkroom/demo" if number % 4 else "stabilityai/sdxl-turbo",
        model_revision="benchmark",
        num_inference_steps=28,
        guidance_scale=4.5,
        width=SIDE,
        height=SIDE,
        seed=number,
        scheduler="FlowMatchEulerDiscreteScheduler",
        scheduler_config={"shift": 3.0},
        quantization="none",
        offload="none",
        dtype="float32",
        device="cpu (2 cores)",
        versions={"torch": "2.13.0", "diffusers": "0.39.0"},
        seconds=1.5,
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        sha256=hashlib.sha256(rgb).hexdigest(),
    )


def first_page(chromium: Browser, running: Server) -> float:
    """Seconds of the first page in a browser that knows nothing yet."""
    with tab(chromium) as page:
        return opened(page, f"{running.url}/gallery", SEEN)


def in_turns(chromium: Browser, running: Server, bare: Server) -> tuple[list[float], list[float]]:
    """Seconds of the first page, and of the page with nothing on it, each time in a browser that knows nothing yet."""
    bare.wait_until_alive("/_stcore/health")
    pairs = []
    for _ in range(OPENINGS + 1):
        ours = first_page(chromium, running)
        with tab(chromium) as page:
            pairs.append((ours, opened(page, bare.url, WORD)))
    return [ours for ours, _ in pairs[1:]], [theirs for _, theirs in pairs[1:]]


def later_pages(chromium: Browser, running: Server) -> list[float]:
    """Seconds of the first page in a browser that has been here before, a few times."""
    with tab(chromium) as page:
        seconds = []
        for _ in range(OPENINGS + 1):
            seconds.append(opened(page, f"{running.url}/gallery", SEEN))
            page.goto("about:blank")
        return seconds[1:]


def opened(page: Page, url: str, seen: str) -> float:
    """Seconds from asking for a page until `seen` is true in it."""
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(seen, polling=20)
    return time.perf_counter() - begun


def search(running: Server, number: int) -> float:
    """Seconds of a search in all prompts that finds a few hundred pictures, or one."""
    words = f"{COLOURS[number % len(COLOURS)]} sea" if number % 2 else f"study {number * 97}"
    begun = time.perf_counter()
    answer = httpx2.get(f"{running.url}/api/v1/images", params={"text": words, "limit": 60}, timeout=PATIENCE)
    seconds = time.perf_counter() - begun
    if not answer.raise_for_status().json()["total"]:
        raise RuntimeError(f"Nothing was found for “{words}”.")
    return seconds


def views(chromium: Browser, running: Server) -> dict[int, float]:
    """Look at one page after the other; MiB of the web process after some of them."""
    process, memory = psutil.Process(running.process.pid), {}
    with tab(chromium) as page:
        for view in range(1, VIEWS + 1):
            page.goto(f"{running.url}/gallery?page={view % PAGES + 1}", wait_until="commit")
            page.wait_for_function(SEEN, polling=50)
            if view in LOOKED_AT:
                memory[view] = process.memory_info().rss / 2**20
    return memory


@contextmanager
def tab(chromium: Browser) -> Iterator[Page]:
    """A page in a browser that knows nothing yet."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


if __name__ == "__main__":
    main()
