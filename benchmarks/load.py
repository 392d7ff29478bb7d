"""Many at once, and a service that is killed: 500 jobs of five clients with 200 who watch.

    .venv/bin/python -m benchmarks.load [JOBS [WATCHERS]]

Jobs of the demo model in two steps are queued, and so many connections follow one of them each. While they
run, jobs at the end of the queue and the one in hand are cancelled. When half is made the whole service is killed
(SIGKILL) and started again; then every job must be finished, with one picture, or cancelled. Watchers follow again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.measure import MODEL, PROMPT, Server, middle, service, table

JOBS, WATCHERS, CLIENTS, CANCELLED = 500, 200, 5, 10
PATIENCE = 3600.0
LIMITS = {"DARKROOM_MAX_QUEUE": "5000", "DARKROOM_MAX_QUEUE_PER_CLIENT": "5000"}
QUICK = {"prompt": PROMPT, "model": MODEL, "num_inference_steps": 2}


class Crowd:
    """Everybody who uses one service."""

    def __init__(self, server: Server, watchers: int) -> None:
        limits = httpx2.Limits(max_connections=watchers + 20)
        self._http = httpx2.AsyncClient(base_url=f"{server.url}/api/v1", timeout=PATIENCE, limits=limits)
        self._watchers = watchers

    async def submit(self, number: int, **fields: Any) -> str:
        """Queue a job for one of the clients; returns its id."""
        who = {"Cookie": f"darkroom_client=client-{number % CLIENTS}"}
        answer = await self._http.post("/jobs", json={**QUICK, "seed": number, **fields}, headers=who)
        return str(answer.raise_for_status().json()["id"])

    async def move_first(self, job: str) -> None:
        """Have a waiting job come before the others of its client."""
        (await self._http.post(f"/jobs/{job}/move", json={"to": "first"})).raise_for_status()

    async def cancel(self, job: str) -> float:
        """Seconds until a cancel was answered."""
        begun = time.perf_counter()
        (await self._http.delete(f"/jobs/{job}")).raise_for_status()
        return time.perf_counter() - begun

    async def follow(self, job: str, until: str = "") -> list[str]:
        """The names of a job's events, as many as come before the connection ends or one is named `until`."""
        names = list[str]()
        try:
            async with self._http.stream("GET", f"/jobs/{job}/events") as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        names.append(line.removeprefix("event: "))
                    if until in names:
                        return names
        except httpx2.TransportError:  # the service was killed
            pass
        return names

    def watch(self, jobs: list[str]) -> list[asyncio.Task[list[str]]]:
        """Follow as many jobs as there are watchers, spread over the queue."""
        return [asyncio.create_task(self.follow(jobs[place * 7 % len(jobs)])) for place in range(self._watchers)]

    async def state(self, job: str) -> dict[str, Any]:
        state: dict[str, Any] = (await self._http.get(f"/jobs/{job}")).raise_for_status().json()
        return state


async def before(server: Server, count: int, watchers: int) -> tuple[list[str], list[float]]:
    """Queue, watch and cancel, until half is made; returns the jobs and how long each cancel took."""
    crowd = Crowd(server, watchers)
    jobs = [await crowd.submit(number) for number in range(count)]
    watching = crowd.watch(jobs)
    cancels = [await crowd.cancel(job) for job in jobs[-CANCELLED:]]
    await crowd.follow(jobs[count // 4])
    current = await crowd.submit(count, num_inference_steps=1000)
    await crowd.move_first(current)
    await crowd.follow(current, until="step")
    cancels.append(await crowd.cancel(current))
    await crowd.follow(jobs[count // 2])
    server.process.kill()
    await asyncio.gather(*watching)
    return [*jobs, current], cancels


async def after(server: Server, jobs: list[str], watchers: int) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Watch again to the end; returns the jobs as they are then, and how the streams ended."""
    crowd = Crowd(server, watchers)
    stories = await asyncio.gather(*crowd.watch(jobs))
    for job in jobs:
        await crowd.follow(job)
    return [await crowd.state(job) for job in jobs], Counter(story[-1] for story in stories)


def main(count: int = JOBS, watchers: int = WATCHERS) -> None:
    """Once through, before and after the kill."""
    with tempfile.TemporaryDirectory() as folder:
        outputs, begun = Path(folder), time.perf_counter()
        with service(outputs, **LIMITS) as first:
            jobs, cancels = asyncio.run(before(first, count, watchers))
        with service(outputs, **LIMITS) as second:
            states, ends = asyncio.run(after(second, jobs, watchers))
        made = Counter(len(state["images"]) for state in states if state["status"] == "finished")
        files = len(list(outputs.glob("*/*.png")))
    found = Counter(str(state["status"]) for state in states)
    rows = [
        (f"jobs finished of {count - CANCELLED}", str(found["finished"]), str(count - CANCELLED)),
        ("finished with exactly one picture", str(made[1]), str(found["finished"])),
        ("jobs cancelled, failed", f"{found['cancelled']}, {found['failed']}", f"{CANCELLED + 1}, 0"),
        ("files of pictures", str(files), str(found["finished"])),
        (f"streams of {watchers} that ended with their job", str(ends["finished"] + ends["cancelled"]), str(watchers)),
        ("seconds until a cancel is answered", middle(cancels, 3), "≤ 1 each"),
        ("seconds in all", f"{time.perf_counter() - begun:.0f}", ""),
    ]
    table(f"Load: {count} jobs, {watchers} watchers, killed half-way", rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
