"""Trains the demo checkpoint from nothing: `python -m demo.train --out runs/demo`.

Stages, each skipped when its result is already in `--out`: data (render), vae, latents, flow (text encoders
and transformer, stable learning rate), decay (a branch of flow), export. Stop at any time and run the same
command again to go on; only a decay begins again, from the end of the stable phase. To train longer later,
continue the stable phase and decay again:

    python -m demo.train --out runs/demo --stable-steps 40000 --decay-steps 5000
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from demo.autoencoder import build_autoencoder, encode_all, normalise_latents, psnr, train_autoencoder
from demo.data import TRAIN_COUNT, VALIDATION_COUNT, load_split, prepare_split
from demo.diffusion import FlowTrainer, LatentData, Networks, warm_up_text
from demo.export import export_pipeline
from demo.text import TextEncoders, corpus

log = logging.getLogger(__name__)

STABLE_STEPS = 5500
DECAY_STEPS = 2000
SPLITS = {"train": TRAIN_COUNT, "validation": VALIDATION_COUNT}


@dataclass(frozen=True)
class Run:
    """Where a training run keeps its files, and what it computes on."""

    out: Path
    device: torch.device

    @property
    def data(self) -> Path:
        """The rendered pictures."""
        return self.out / "data"

    @property
    def latents(self) -> Path:
        """Normalised latents of both splits, with the finished autoencoder."""
        return self.out / "latents.pt"

    @property
    def corpus(self) -> Path:
        """What the tokenizers were trained on, so that a run survives a change of the captions' wording."""
        return self.out / "corpus.txt"

    @property
    def stable(self) -> Path:
        """State of the stable phase, the one to continue from."""
        return self.out / "flow-stable.pt"

    @property
    def decayed(self) -> Path:
        """State of the latest decay, the one to export."""
        return self.out / "flow-decayed.pt"


def prepare_latents(run: Run) -> None:
    """Train the autoencoder and encode both splits."""
    if run.latents.exists():
        return
    images = {split: load_split(run.data, split)[0] for split in SPLITS}
    vae = train_autoencoder(images["train"], images["validation"], run.out / "vae.pt", run.device)
    encoded = torch.cat([encode_all(vae, images[split], run.device) for split in SPLITS])
    encoded = normalise_latents(vae, encoded)
    log.info("vae after normalising: %.2f dB", psnr(vae, images["validation"][:64], run.device))
    torch.save({"vae": vae.state_dict(), "shift": vae.config.shift_factor, "scale": vae.config.scaling_factor,
                "latents": encoded}, run.latents)  # fmt: skip


def load_autoencoder(run: Run) -> AutoencoderKL:
    """The finished autoencoder with its latent statistics."""
    saved = torch.load(run.latents, weights_only=True, mmap=True)
    vae = build_autoencoder()
    vae.load_state_dict(saved["vae"])
    vae.register_to_config(shift_factor=saved["shift"], scaling_factor=saved["scale"])
    return vae.eval()


def build_networks(run: Run) -> Networks:
    """Networks with freshly trained tokenizers and random weights, the same every time."""
    if not run.corpus.exists():
        run.corpus.write_text("\n".join(corpus()))
    torch.manual_seed(0)
    return Networks(TextEncoders(run.corpus.read_text().split("\n"))).to(run.device)


def build_trainer(run: Run) -> FlowTrainer:
    """A trainer at step 0, or at the last saved step of the stable phase."""
    nets = build_networks(run)
    latents = torch.load(run.latents, weights_only=True)["latents"].split(list(SPLITS.values()))
    splits = []
    for split, part in zip(SPLITS, latents, strict=True):
        labels = torch.from_numpy(np.array(load_split(run.data, split)[1]))
        splits.append(LatentData(split, part, labels, nets.text, run.device))
    train, validation = splits
    if run.stable.exists():
        trainer = FlowTrainer(nets, train, validation, run.stable)
        trainer.load(run.stable)
        return trainer
    warm_up_text(nets.text, run.device)
    return FlowTrainer(nets, train, validation, run.stable)


def train_flow(run: Run, stable_steps: int, decay_steps: int) -> None:
    """Continue the stable phase to `stable_steps`, then branch off a decay."""
    trainer = build_trainer(run)
    trainer.run(stable_steps)
    if decay_steps:
        trainer.state = run.decayed
        trainer.run(trainer.step + decay_steps, decay_start=trainer.step)


def export(run: Run, source: Path, folder: Path) -> None:
    """Export the moving average of a saved state."""
    nets = build_networks(run)
    nets.load_state_dict(torch.load(source, map_location=run.device, weights_only=True)["average"])
    size = export_pipeline(nets, load_autoencoder(run), folder)
    log.info("exported %s: %.2f MiB", folder, size / 2**20)


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for data, states and the log")
    parser.add_argument("--stable-steps", type=int, default=STABLE_STEPS, help="end of the stable phase, in steps")
    parser.add_argument("--decay-steps", type=int, default=DECAY_STEPS, help="length of the decay; 0 for none")
    parser.add_argument("--checkpoint", type=Path, help="where to export (default: OUT/checkpoint)")
    parser.add_argument("--export-only", action="store_true", help="export the newest state without training")
    options = parser.parse_args()
    run = Run(options.out, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    run.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(run.out / "train.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)

    if not options.export_only:
        for split, count in SPLITS.items():
            prepare_split(run.data, split, count)
        prepare_latents(run)
        train_flow(run, options.stable_steps, options.decay_steps)
    states = [path for path in (run.stable, run.decayed) if path.exists()]
    newest = max(states, key=lambda path: path.stat().st_mtime)
    export(run, newest, options.checkpoint or run.out / "checkpoint")


if __name__ == "__main__":
    main()
