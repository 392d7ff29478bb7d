"""How much main memory a worker really takes, measured in processes of its own, and what the planner said before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.models.planning.peaks import PROCESS
from tests.checkpoints.big import big_checkpoint

MEASURE = """
import json, re, sys
from pathlib import Path
import psutil, torch
from pipeline.engine import Engine
from pipeline.models.planning.ladder import Case
from pipeline.models.planning.plan import plan
from pipeline.models.planning.sizes import component_sizes
from pipeline.request import parse_request
from tests.checkpoints import SD35, record_for

tiny_folder, big_folder, cache, dtype, quantization = sys.argv[1:]
torch.set_num_threads(1)
tiny, engine = record_for(Path(tiny_folder)), Engine(Path(cache))
size = {"native": (256, 256), "multiple": 16, "min": 64, "max": 256}
big = record_for(Path(big_folder), SD35, dtype=dtype, size=size)

def draw(record):
    request = parse_request(prompt="a red house", seed=1, num_inference_steps=2, quantization=quantization)
    list(engine.generate(request, record, [0], lambda event: None, lambda: False))
    return plan(Case(record, request, engine.report().hardware, component_sizes(record)))

draw(tiny)
engine.release()
before = psutil.Process().memory_info().rss
found = draw(big)
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"before": before, "peak": peak, "planned": found.peak_ram_bytes,
                  "parameters": sum(part.parameters for part in found.components)}))
"""
"""Draws with a tiny model, so that everything is imported, and then with a big one. Not `getrusage`: a child inherits
its parent's peak there."""


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return big_checkpoint(tmp_path_factory.mktemp("checkpoints") / "big", parameters=60_000_000)


@pytest.mark.parametrize(
    ("dtype", "quantization"),
    [("bfloat16", "none"), ("float32", "none"), ("bfloat16", "nf4")],
    ids=["as stored", "converted", "quantised"],
)
def test_the_peak_is_within_fifteen_percent_of_the_plan(
    big: Path, tiny_checkpoint: Path, tmp_path: Path, dtype: str, quantization: str
) -> None:
    folders = [str(tiny_checkpoint), str(big), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *folders, dtype, quantization],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["parameters"] > 60_000_000
    taken = found["peak"] - found["before"]
    assert found["planned"] - PROCESS["cpu"] == pytest.approx(taken, rel=0.15), "what the model takes"
    assert found["planned"] == pytest.approx(found["peak"], rel=0.15), "what the worker takes in all"
