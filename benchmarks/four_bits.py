"""Quantised components from the cache: what the second load reads and how long it takes, against the first.

    .venv/bin/python -m benchmarks.four_bits

A checkpoint shaped like Stable Diffusion 3.5 Medium with 600 M random parameters, half of them in the transformer and
half in T5, is loaded on the processor by fresh processes in turns: with an empty cache, then with what that one left.
Imports are not counted, writing the cache is no part of the first load's time. Before each load the files are dropped
from the memory of the operating system, so that it reads from the disk; `/proc/self/io` tells how much (Linux only).
`nf4` alone has no goal for T5, because a fifth of it stays in 16 bits. A second table tells what that is worth: how far
T5's output is from that in float32.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported

import torch
from diffusers import SD3Transformer2DModel
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from benchmarks.measure import middle, table
from pipeline.engine.component import LoadedComponent, load_component
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.engine.quiet import hush
from pipeline.models.registry import ROOT, Registry
from pipeline.request import Precision
from tests.checkpoints import SD35, record_for
from tests.checkpoints.big import big_checkpoint

PARAMETERS = 600_000_000
ROUNDS = 3
LOADS: tuple[tuple[str, Precision], ...] = (
    ("transformer", "nf4"),
    ("text_encoder_3", "nf4"),
    ("text_encoder_3", "nf4-full"),
)
KINDS = {"transformer": SD3Transformer2DModel, "text_encoder_3": T5EncoderModel}
PRECISIONS: tuple[Precision, ...] = ("none", "int8", "nf4", "nf4-full")
SEEDS = 3


def main() -> None:
    """Make the checkpoint, and load it in turns; `--measure FOLDER CACHE` is one such load."""
    hush()
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]))))
        return
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = big_checkpoint(Path(folder) / "checkpoint", PARAMETERS)
        for number in range(ROUNDS):
            cache = Path(folder) / f"cache-{number}"
            pairs.append([fresh_process(checkpoint, cache) for _ in ("first", "second")])
    rows = [
        *_rows("transformer, nf4", pairs, [0], goal=True),
        *_rows("T5, nf4", pairs, [1], goal=False),
        *_rows("T5, nf4-full", pairs, [2], goal=True),
        *_rows("both, nf4", pairs, [0, 1], goal=False),
        *_rows("both, nf4-full", pairs, [0, 2], goal=True),
    ]
    same = all(a["digest"] == b["digest"] for first, second in pairs for a, b in zip(first, second, strict=True))
    kept = all(load["cached"] is (turn == 1) for pair in pairs for turn, loads in enumerate(pair) for load in loads)
    rows.append(("second load from the cache, with the same bits", "yes" if same and kept else "no", "yes"))
    table(f"Four bits from the cache: second load ÷ first, {PARAMETERS / 1e6:.0f} M parameters", rows)
    errors()


def fresh_process(checkpoint: Path, cache: Path) -> list[dict[str, Any]]:
    """Load in a process of its own, from the disk."""
    for folder in (checkpoint, cache):
        drop_from_memory(folder.rglob("*"))
    command = [sys.executable, "-m", "benchmarks.four_bits", "--measure", str(checkpoint), str(cache)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
    return found


def measure(checkpoint: Path, cache: Path) -> list[dict[str, Any]]:
    """Load each component; tell seconds, bytes read from the disk, and a digest of the weights."""
    found = []
    for name, precision in LOADS:
        before = bytes_read()
        loaded = load(name, checkpoint / name, precision, cache)
        assert loaded.report is not None
        digest = hashlib.sha256()  # touches every page, so that what was mapped into memory is read by now
        for key, tensor in sorted(loaded.model.state_dict().items()):
            digest.update(key.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
        found.append(
            {
                "seconds": loaded.report.seconds,
                "bytes": bytes_read() - before,
                "digest": digest.hexdigest(),
                "cached": loaded.report.cached,
            }
        )
        del loaded, tensor
        gc.collect()
        drop_from_memory((checkpoint / name).rglob("*"))  # two of them read the same files
    return found


def bytes_read() -> int:
    """What this process has made the operating system read from disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def drop_from_memory(files: Iterable[Path]) -> None:
    """Have the operating system forget the content of `files`, so that the next one to read them waits for the disk."""
    for file in files:
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def errors() -> None:
    """Print how far T5's output is from that in float32, relative to its size: random weights, and the demo's."""
    demo = Registry.read().find("demo")
    assert demo.local is not None
    tokenizer = T5Tokenizer.from_pretrained(demo.local / "tokenizer_3")
    padded = {"padding": "max_length", "max_length": demo.prompt_tokens, "return_tensors": "pt"}
    prompts = tokenizer(list(demo.examples), **padded)
    trained = relative_errors(demo.local / "text_encoder_3", prompts.input_ids, prompts.attention_mask.bool())
    untrained = []
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(seed)
            config = T5Config(d_model=1024, d_ff=2560, num_layers=6, num_heads=16, feed_forward_proj="gated-gelu")
            T5EncoderModel(config).to(torch.bfloat16).save_pretrained(folder)
            tokens = torch.randint(config.vocab_size, (4, 77))
            untrained.append(relative_errors(Path(folder), tokens, tokens >= 0))
    rows = [
        row
        for precision in PRECISIONS
        for row in (
            (f"T5 with random weights, 6 layers, {precision}", middle([one[precision] for one in untrained], 4), ""),
            (f"the demo's T5, trained, 2 layers, {precision}", f"{trained[precision]:.4f}", ""),
        )
    ]
    table("Relative error of T5's output in bfloat16", rows)


def relative_errors(folder: Path, tokens: torch.Tensor, real: torch.Tensor) -> dict[Precision, float]:
    """Norm of the difference to the output in float32 over the norm of that, where tokens are `real` and no padding."""
    found: dict[Precision, float] = {}
    with torch.no_grad(), tempfile.TemporaryDirectory() as cache:
        exact = T5EncoderModel.from_pretrained(folder, dtype=torch.float32).eval()(tokens)[0][real]
        for precision in PRECISIONS:
            hidden = load("text_encoder_3", folder, precision, Path(cache)).model(tokens)[0][real].float()
            found[precision] = ((hidden - exact).norm() / exact.norm()).item()
    return found


def load(name: str, folder: Path, precision: Precision, cache: Path) -> LoadedComponent:
    """Load one component from `folder` as the engine does."""
    return load_component(
        KINDS[name],
        folder,
        name,
        precision=precision,
        dtype=torch.bfloat16,
        device="cpu",
        record=record_for(folder, SD35),
        cache=QuantizedCache(cache),
        emit=print,
    )


def _rows(
    what: str, pairs: list[list[list[dict[str, Any]]]], places: list[int], *, goal: bool
) -> list[tuple[str, str, str]]:
    """The ratios of the loads at `places`, taken together."""

    def ratios(measure: str) -> list[float]:
        sums = [[sum(loads[place][measure] for place in places) for loads in pair] for pair in pairs]
        return [second / first for first, second in sums]

    firsts, seconds = ([sum(pair[turn][place]["seconds"] for place in places) for pair in pairs] for turn in (0, 1))
    return [
        (f"{what}: bytes read", middle(ratios("bytes"), 3), "≤ 0.32" if goal else ""),
        (f"{what}: seconds", middle(ratios("seconds"), 3), "≤ 0.5"),
        (f"{what}: seconds of the first and second load", f"{median(firsts):.1f}, {median(seconds):.2f}", ""),
    ]


if __name__ == "__main__":
    main()
