"""Making pictures larger: memory and time with the built-in upscaler, with tiles and without.

    .venv/bin/python -m benchmarks.upscale

A scene of the demo, 256, 512 and 1024 pixels wide and high, is made four times as large, in fresh processes that take
turns: in tiles, as the studio does, and at once. Memory is the largest that was resident in the process (`VmHWM`, Linux
only) above what it held before, with everything imported, the picture drawn and the network read. With tiles it is
bound by the large picture, four bytes a pixel in Pillow, and `BESIDE` for the tile under way, whatever the size.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import psutil

from benchmarks.measure import middle, table
from demo.data import scene_at
from demo.drawing import render
from pipeline.engine.upscale import TILE, upscale
from pipeline.models.registry import ROOT
from pipeline.models.upscalers import DARKROOM

ROUNDS = 3
SIDES = (256, 512, 1024)
"""Of the small pictures, in pixels."""
AT_ONCE = max(SIDES)
"""A tile as large as the largest picture."""
BESIDE = 128
"""MiB that one tile may take."""
Found = dict[str, float]


def main() -> None:
    """Measure in turns; `--measure SIDE TILE` is one such process."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]))))
        return
    cases = [(side, tile) for side in SIDES for tile in (TILE, AT_ONCE)]
    found: dict[tuple[int, int], list[Found]] = {case: [] for case in cases}
    for _ in range(ROUNDS):
        for case in cases:
            found[case].append(fresh_process(*case))
    rows = [row for side in SIDES for row in _rows(side, found[side, TILE], found[side, AT_ONCE])]
    table(f"Four times as large with {DARKROOM.name}: memory above an idle process", rows)


def fresh_process(side: int, tile: int) -> Found:
    """Make one picture larger in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.upscale", "--measure", str(side), str(tile)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: Found = json.loads(output.splitlines()[-1])
    return found


def measure(side: int, tile: int) -> Found:
    """Bytes and seconds that it takes to make a picture of `side` pixels four times as large."""
    picture = render(scene_at("validation", 3), 4)[0].resize((side, side))
    upscale(picture.crop((0, 0, 8, 8)), 4, DARKROOM)
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: drawing took more
    begun = time.perf_counter()
    upscale(picture, 4, DARKROOM, tile=tile)
    seconds = time.perf_counter() - begun
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return {"bytes": int(peak[1]) * 1024 - before, "seconds": seconds}


def _rows(side: int, tiled: list[Found], whole: list[Found]) -> list[tuple[str, str, str]]:
    what, large = f"{side}² to {4 * side}²", 4 * (4 * side) ** 2 / 2**20
    in_tiles, at_once = ([one["bytes"] / 2**20 for one in found] for found in (tiled, whole))
    seconds = [[one["seconds"] for one in found] for found in (tiled, whole)]
    ratios = [b / a for a, b in zip(in_tiles, at_once, strict=True)]
    return [
        (f"{what}: MiB in tiles", middle(in_tiles, 0), f"≤ {large + BESIDE:.0f}"),
        (f"{what}: MiB at once", middle(at_once, 0), ""),
        (f"{what}: MiB at once ÷ in tiles", middle(ratios, 1), ""),
        (f"{what}: seconds in tiles, at once", f"{median(seconds[0]):.1f}, {median(seconds[1]):.1f}", ""),
    ]


if __name__ == "__main__":
    main()
