"""What HTTP adds to a picture: the same picture over the API and by the `Studio` of a script, in turns.

    .venv/bin/python -m benchmarks.overhead [PAIRS]

Both are warm, and each has a worker of its own. Over the API a job is sent, followed over server-sent events to its
end, looked at, and its PNG fetched; the script waits for the picture and reads its file. So both times run from the
request to the bytes of the PNG. The two take turns, and each pair gives one ratio.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx2

from benchmarks.measure import MODEL, PATIENCE, PROMPT, empty_outputs, middle, service, table
from pipeline.studio import Studio

PAIRS = 40


def over_http(url: str) -> Callable[[int], bytes]:
    """A function that has the picture of a seed made by a server, and gives its PNG."""
    client = httpx2.Client(base_url=f"{url}/api/v1", timeout=PATIENCE)

    def picture(seed: int) -> bytes:
        wish = {"prompt": PROMPT, "model": MODEL, "seed": seed}
        job = client.post("/jobs", json=wish).raise_for_status().json()["id"]
        client.get(f"/jobs/{job}/events").raise_for_status()
        [image] = client.get(f"/jobs/{job}").raise_for_status().json()["images"]
        return client.get(f"/images/{image['id']}/file").raise_for_status().content

    return picture


def in_process(studio: Studio) -> Callable[[int], bytes]:
    """The same by a script's own studio."""

    def picture(seed: int) -> bytes:
        [image] = studio.generate(PROMPT, model=MODEL, seed=seed)
        assert image.path is not None
        return image.path.read_bytes()

    return picture


@contextmanager
def both() -> Iterator[list[Callable[[int], bytes]]]:
    """The two ways, over a service and by a studio, each with a folder of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        service(Path(folder)) as server,
        empty_outputs() as settings,
        Studio(settings) as studio,
    ):
        yield [over_http(server.url), in_process(studio)]


def seconds(work: Callable[[int], bytes], seed: int) -> float:
    """How long `work(seed)` took."""
    begun = time.perf_counter()
    work(seed)
    return time.perf_counter() - begun


def main(pairs: int = PAIRS) -> None:
    """Take turns, the first of each pair alternating too."""
    ratios, alone = [], []
    with both() as ways:
        for way in ways:
            way(0)
        for seed in range(1, pairs + 1):
            order = (0, 1) if seed % 2 else (1, 0)
            times = {place: seconds(ways[place], seed) for place in order}
            ratios.append(times[0] / times[1])
            alone.append(times[1])
    rows = [
        ("HTTP ÷ a script's own studio", middle(ratios, 3), "≤ 1.03"),
        ("a script's own studio, seconds", middle(alone), ""),
        ("seconds that HTTP adds", f"{(median(ratios) - 1) * median(alone):.3f}", ""),
    ]
    table("HTTP", rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
