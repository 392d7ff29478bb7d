"""The web process: how soon it answers, how much memory it holds, and that torch is not in it.

.venv/bin/python -m benchmarks.web_process
"""

from __future__ import annotations

import psutil

from benchmarks.measure import middle, server, table

RUNS = 5


def main() -> None:
    """Start the server a few times, and look at its web process as soon as it answers."""
    seconds, mebibytes, holds_torch = [], [], False
    for _ in range(RUNS):
        with server() as running:
            seconds.append(running.wait_until_alive())
            process = psutil.Process(running.process.pid)
            mebibytes.append(process.memory_info().rss / 2**20)
            holds_torch |= any("torch" in mapped.path for mapped in process.memory_maps())
    rows = [
        ("seconds until /healthz answers", middle(seconds), "≤ 2.5"),
        ("resident memory before a page is opened, MiB", middle(mebibytes, 0), ""),
        ("torch mapped into the process", "yes" if holds_torch else "no", "no"),
    ]
    table("Web process", rows)


if __name__ == "__main__":
    main()
