"""From the command to the first picture: the server starts, the worker imports torch, loads the demo and draws.

    .venv/bin/python -m benchmarks.cold_start

Files come from the disk cache of the operating system after the first run; right after a reboot it takes longer.
"""

from __future__ import annotations

import httpx2

from benchmarks.measure import MODEL, PATIENCE, PROMPT, Server, middle, server, table

RUNS = 3


def first_picture(running: Server) -> float:
    """Ask for a picture as soon as the server answers, follow the job, and tell the seconds from the start."""
    running.wait_until_alive()
    with httpx2.Client(base_url=running.url, timeout=PATIENCE) as client:
        job = client.post("/api/v1/jobs", json={"prompt": PROMPT, "model": MODEL, "seed": 1}).raise_for_status().json()
        with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as stream:
            last = [line for line in stream.iter_lines() if line.startswith("event:")][-1]
    if not last.endswith("finished"):
        raise RuntimeError(f"The job ended with “{last}”.")
    return running.seconds()


def main() -> None:
    """Measure a few starts."""
    seconds = []
    for _ in range(RUNS):
        with server() as running:
            seconds.append(first_picture(running))
    table("Cold start", [("seconds from the command to the first demo picture", middle(seconds), "≤ 12")])


if __name__ == "__main__":
    main()
