"""Trains the built-in upscaler from nothing: `python -m demo.upscaler.train --out runs/upscaler`.

Stages, each skipped when its result is already in `--out`: data (render and cut), stable (constant learning rate),
decay (a branch of it), export. Stop at any time and run the same command again to go on; only a decay begins again,
from the end of the stable phase.
"""

from __future__ import annotations

import argparse
import copy
import logging
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from demo.upscaler.data import FACTOR, KINDS, SIDE, Pairs, load_pairs, prepare_pairs
from pipeline.engine.networks import Compact

log = logging.getLogger(__name__)

FEATURES, BLOCKS = 32, 8
STABLE_STEPS = 2500
DECAY_STEPS = 1000
BATCH = 16
CROP = 32
"""Pixels of a small piece that a step sees, of the `SIDE` that are there."""
SHARES = (0.5, 0.15, 0.1, 0.25)
"""How often each of `KINDS` is what the network sees."""
RATE = 1e-3
WARM_UP = 200
AVERAGE = 0.998
SAVE_EVERY = 100


def build() -> Compact:
    """The network with random weights, the same every time."""
    torch.manual_seed(0)
    network = Compact(FEATURES, BLOCKS, FACTOR)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares no such call
    return network


class Trainer:
    """The network, its moving average and its optimiser, at some step."""

    def __init__(self, pairs: Pairs, state: Path) -> None:
        self.pairs, self.state, self.step = pairs, state, 0
        self.network = build()
        self.average = copy.deepcopy(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), RATE, betas=(0.9, 0.99))

    def load(self, path: Path) -> None:
        """Go on from a saved state."""
        saved = torch.load(path, weights_only=True)
        self.step = saved["step"]
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(saved[name])

    def save(self) -> None:
        """Keep the state, whole or not at all."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")}
        temporary = self.state.with_suffix(".tmp")
        torch.save({"step": self.step} | parts, temporary)
        temporary.replace(self.state)

    def run(self, until: int, decay_start: int | None = None) -> None:
        """Train to step `until`; the rate falls to a fiftieth from `decay_start` on."""
        losses: list[float] = []
        began = time.perf_counter()
        while self.step < until:
            rate = RATE * min(1.0, (self.step + 1) / WARM_UP)
            if decay_start is not None:
                rate *= 1 - 0.98 * (self.step - decay_start) / (until - decay_start)
            losses.append(self._learn(rate))
            self.step += 1
            if self.step % SAVE_EVERY == 0 or self.step == until:
                self.save()
                pace = (time.perf_counter() - began) / len(losses)
                log.info("step %d: L1 %.5f, %.2f s a step", self.step, np.mean(losses[-SAVE_EVERY:]), pace)

    def _learn(self, rate: float) -> float:
        small, large = _batch(self.pairs, np.random.default_rng(self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = F.l1_loss(self.network(small), large)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        kept_share = min(AVERAGE, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for kept, fresh in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(fresh, 1 - kept_share)
        return loss.item()


def _batch(pairs: Pairs, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Small and large pieces, values 0 to 1, turned and mirrored, and their colours exchanged, at random."""
    small, large = list[torch.Tensor](), list[torch.Tensor]()
    for index in rng.integers(len(pairs.large), size=BATCH):
        y, x = rng.integers(SIDE - CROP + 1, size=2)
        kind = rng.choice(len(KINDS), p=SHARES)
        turns, mirrored, colours = rng.integers(4), rng.integers(2), rng.permutation(3)
        for pieces, source, scale in ((small, pairs.small[index, kind], 1), (large, pairs.large[index], FACTOR)):
            piece = source[y * scale : (y + CROP) * scale, x * scale : (x + CROP) * scale, colours]
            piece = np.rot90(piece[:, ::-1] if mirrored else piece, int(turns))
            pieces.append(torch.from_numpy(piece.copy()))
    return _as_input(small), _as_input(large)


def _as_input(pieces: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(pieces).permute(0, 3, 1, 2).float() / 255


def export(state: Path, file: Path) -> None:
    """Write the moving average of a saved state as float16 safetensors."""
    average = torch.load(state, weights_only=True)["average"]
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in average.items()}, file)
    file.chmod(0o644)  # weights are written readable for the owner only
    log.info("exported %s: %.0f KiB", file, file.stat().st_size / 2**10)


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for data, states and the log")
    parser.add_argument("--stable-steps", type=int, default=STABLE_STEPS, help="end of the stable phase, in steps")
    parser.add_argument("--decay-steps", type=int, default=DECAY_STEPS, help="length of the decay")
    parser.add_argument("--file", type=Path, help="where to export (default: OUT/darkroom-x4.safetensors)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(options.out / "train.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)

    prepare_pairs(options.out / "data")
    stable, decayed = options.out / "stable.pt", options.out / "decayed.pt"
    trainer = Trainer(load_pairs(options.out / "data"), stable)
    if stable.exists():
        trainer.load(stable)
    trainer.run(options.stable_steps)
    trainer.state = decayed
    trainer.run(trainer.step + options.decay_steps, decay_start=trainer.step)
    export(decayed, options.file or options.out / "darkroom-x4.safetensors")


if __name__ == "__main__":
    main()
