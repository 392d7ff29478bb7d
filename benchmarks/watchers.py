"""What it costs the generation that people watch it: the same job with nobody and with 20 browsers looking on.

    .venv/bin/python -m benchmarks.watchers [PAIRS [WATCHERS]]

Each watcher is a real browser session of its own, with the page of the running job open: progress and previews over
server-sent events. The worker is halted until all pages are there, so that opening them is not counted; then the
browsers are halted, since in truth they are other people's machines, and what is sent to them waits in their
connections. So what is measured is what watching takes from the studio itself. Watched and unwatched runs take turns,
and each pair gives one ratio.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import httpx2
import psutil
from playwright.sync_api import Page

from benchmarks.measure import MODEL, PATIENCE, PROMPT, middle, server, table
from tests.browser import launched

WATCHERS = 20
PAIRS = 6
PICTURES = 8


@contextmanager
def browsers(count: int) -> Iterator[list[Page]]:
    """A page in each of `count` browser sessions."""
    with launched() as browser:
        yield [browser.new_context().new_page() for _ in range(count)]


def chromiums() -> list[psutil.Process]:
    """The processes of the browser that this one started."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name() or "headless" in child.name()
    ]


@contextmanager
def halted(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """They do nothing meanwhile."""
    for process in processes:
        process.suspend()
    yield
    for process in processes:
        process.resume()


class Watched:
    """A studio and those who may look on."""

    def __init__(self, url: str, process: int, pages: list[Page]) -> None:
        self._api = httpx2.Client(base_url=f"{url}/api/v1", timeout=PATIENCE)
        self._url, self._web, self._pages = url, psutil.Process(process), pages

    def warm_up(self) -> None:
        """Have the model loaded and one picture made."""
        self._end_of(self._submit())

    def run(self, seed: int, watchers: int) -> tuple[float, float]:
        """Seconds that a job took with so many watchers, and processor seconds of the web process meanwhile."""
        with halted(self._worker()):
            job = self._submit(num_images=PICTURES, seed=seed)
            self._gather(job, watchers)
        with halted(chromiums()):
            used, begun = self._used(), time.perf_counter()
            self._end_of(job)
            taken, used = time.perf_counter() - begun, self._used() - used
        for page in self._pages:
            page.goto("about:blank")
        return taken, used

    def _submit(self, **fields: int) -> str:
        answer = self._api.post("/jobs", json={"prompt": PROMPT, "model": MODEL, **fields})
        return str(answer.raise_for_status().json()["id"])

    def _end_of(self, job: str) -> None:
        self._api.get(f"/jobs/{job}/events").raise_for_status()

    def _gather(self, job: str, watchers: int) -> None:
        """Open the job in so many browsers, and wait until each follows it."""
        watching = self._pages[:watchers]
        for page in watching:
            page.goto(f"{self._url}/?job={job}", wait_until="commit", timeout=1000 * PATIENCE)
        for page in watching:
            page.get_by_alt_text(f"Preview: {PROMPT}").wait_for(state="attached", timeout=1000 * PATIENCE)

    def _worker(self) -> list[psutil.Process]:
        return [child for child in self._web.children() if "pipeline.jobs.child" in " ".join(child.cmdline())]

    def _used(self) -> float:
        times = self._web.cpu_times()
        return float(times.user + times.system)


def main(pairs: int = PAIRS, watchers: int = WATCHERS) -> None:
    """Warm up, then take turns, the first of each pair alternating too."""
    ratios, alone, used = [], [], dict[int, list[float]]({0: [], watchers: []})
    with server() as studio, browsers(watchers) as pages:
        studio.wait_until_alive()
        watched = Watched(studio.url, studio.process.pid, pages)
        watched.warm_up()
        watched.run(0, watchers)
        for seed in range(1, pairs + 1):
            order = (0, watchers) if seed % 2 else (watchers, 0)
            runs = {count: watched.run(seed, count) for count in order}
            ratios.append(runs[watchers][0] / runs[0][0])
            alone.append(runs[0][0])
            for count, (_, busy) in runs.items():
                used[count].append(busy)
    share = (median(used[watchers]) - median(used[0])) / median(alone)
    rows = [
        (f"{watchers} watchers ÷ none", middle(ratios, 3), "≤ 1.05"),
        ("seconds of the job, unwatched", middle(alone), ""),
        ("processor seconds of the web process, unwatched", middle(used[0]), ""),
        (f"the same with {watchers} watchers", middle(used[watchers]), ""),
        ("share of one core that the watchers take of it", f"{share:.1%}", ""),
    ]
    table(f"Watchers: a job of {PICTURES} pictures", rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
