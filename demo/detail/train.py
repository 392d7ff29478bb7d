"""Trains the LoRA on the frozen checkpoint: `python -m demo.detail.train --out runs/detail`.

Stages: pieces (render, soften, cut, encode), steps, export. Stop at any time and run the same command again to go on.
Every random draw of a step depends only on the step number, so a resumed run repeats the same batches.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from demo.captions import describe
from demo.controlnet.pairs import CHECKPOINT
from demo.controlnet.train import features, rate_factor
from demo.detail.pieces import TRAIN_COUNT, VALIDATION_COUNT, Pieces, load, prepare

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
NAME = "darkroom-detail.safetensors"
RANK = 16
LAYERS = (
    r"transformer_blocks\..*\.(to_[qkv]|add_[qkv]_proj|to_out\.0|to_add_out|net\.0\.proj|net\.2|linear)"
    r"|proj_out|norm_out\.linear"
)
"""Every linear layer of the blocks, and the two that make pixels of a patch's features."""
STEPS = 700
BATCH = 12
RATE = 1e-3
WARMUP_STEPS = 50
EMA_DECAY = 0.995
STRENGTHS = (0.15, 0.6)
"""Noise levels at which the enlarged picture may be taken up."""
CAPTION_SHARE = 0.7
SAVE_EVERY = 200


def with_lora(transformer: SD3Transformer2DModel) -> SD3Transformer2DModel:
    """`transformer` with a LoRA that changes nothing yet, and is all that learns."""
    transformer.requires_grad_(False)
    torch.manual_seed(0)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=LAYERS, init_lora_weights="gaussian"))
    return transformer


def on_the_way(sharp: Tensor, soft: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latents somewhere on the straight way from the softened picture with noise to the sharp one, their noise levels
    (N,), and the velocity of that way. All latents are (N, 8, 32, 32).

    A hires fix begins at level s with (1 - s) soft + s noise, and should end at the sharp picture; where both are the
    same picture, this is the rectified flow that the checkpoint was trained with.
    """
    low, high = STRENGTHS
    begin = low + (high - low) * torch.rand(len(sharp), generator=generator)
    level = begin * torch.rand(len(sharp), generator=generator)
    noise = torch.randn(sharp.shape, generator=generator)
    wide = begin[:, None, None, None]
    velocity = ((1 - wide) * soft + wide * noise - sharp) / wide
    return sharp + level[:, None, None, None] * velocity, level, velocity


class Trainer:
    """The LoRA with its optimiser, moving average and step counter, saved and restored together."""

    def __init__(self, out: Path, total: int) -> None:
        self.state, self.step, self.total = out / "state.pt", 0, total
        self.pipeline = StableDiffusion3Pipeline.from_pretrained(CHECKPOINT, vae=None, dtype=torch.float32)
        self.transformer = with_lora(self.pipeline.transformer)
        self.weights = [weight for weight in self.transformer.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(self.weights, lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)
        self.average = [weight.detach().clone() for weight in self.weights]
        self.train = load(out / "pieces", "train", TRAIN_COUNT)
        self.validation = load(out / "pieces", "validation", VALIDATION_COUNT)
        if self.state.exists():
            self._load()

    def loss(self, pieces: Pieces, rows: list[int], rng: random.Random, generator: torch.Generator) -> Tensor:
        """Mean squared error of the velocity."""
        mixed, level, velocity = on_the_way(pieces.sharp[rows].float(), pieces.soft[rows].float(), generator)
        words = [describe(rng, pieces.scenes[row]) if rng.random() < CAPTION_SHARE else "" for row in rows]
        context, pooled = features(self.pipeline, words)
        found = self.transformer(mixed, context, pooled, 1000 * level, return_dict=False)[0]
        return F.mse_loss(found, velocity)

    def run(self) -> None:
        """Train to the end."""
        began, first, sum_of_losses = time.monotonic(), self.step, 0.0
        while self.step < self.total:
            sum_of_losses += self._one_step()
            if self.step % 50 == 0:
                speed = (self.step - first) / (time.monotonic() - began)
                log.info("step %5d  loss %.4f  %.2f steps/s", self.step, sum_of_losses / 50, speed)
                sum_of_losses = 0.0
            if self.step % SAVE_EVERY == 0 or self.step == self.total:
                self._save()
                log.info("step %5d  held-out loss %.4f (moving average)", self.step, self.held_out_loss())

    def _one_step(self) -> float:
        self.optimiser.param_groups[0]["lr"] = RATE * rate_factor(self.step, self.total, WARMUP_STEPS)
        self.optimiser.zero_grad(set_to_none=True)
        rng, generator = random.Random(self.step), torch.Generator().manual_seed(self.step)
        rows = [rng.randrange(len(self.train.scenes)) for _ in range(BATCH)]
        loss = self.loss(self.train, rows, rng, generator)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights], 1 - decay)
        return loss.item()

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """The loss of the moving average on held-out pieces, the noise always the same."""
        raw = [weight.clone() for weight in self.weights]
        _put(self.weights, self.average)
        rng, generator, losses = random.Random(1), torch.Generator().manual_seed(1), []
        for start in range(0, len(self.validation.scenes), BATCH):
            rows = list(range(start, min(start + BATCH, len(self.validation.scenes))))
            losses.append(self.loss(self.validation, rows, rng, generator).item())
        _put(self.weights, raw)
        return sum(losses) / len(losses)

    def export(self, folder: Path) -> int:
        """Save the moving average in bfloat16 as diffusers reads LoRAs; returns the bytes of the file."""
        _put(self.weights, self.average)
        layers = {name: weight.bfloat16() for name, weight in get_peft_model_state_dict(self.transformer).items()}
        StableDiffusion3Pipeline.save_lora_weights(folder, transformer_lora_layers=layers, weight_name=NAME)
        (folder / NAME).chmod(0o644)  # written readable for the owner only
        return (folder / NAME).stat().st_size

    def _save(self) -> None:
        """Write the whole state; a crash while writing leaves the last one intact."""
        partial = self.state.with_suffix(".partial")
        torch.save({"step": self.step, "lora": get_peft_model_state_dict(self.transformer), "average": self.average,
                    "optimiser": self.optimiser.state_dict()}, partial)  # fmt: skip
        partial.replace(self.state)

    def _load(self) -> None:
        saved = torch.load(self.state, weights_only=True)
        self.step, self.average = saved["step"], saved["average"]
        set_peft_model_state_dict(self.transformer, saved["lora"])
        self.optimiser.load_state_dict(saved["optimiser"])


@torch.no_grad()
def _put(weights: list[nn.Parameter], values: list[Tensor]) -> None:
    torch._foreach_copy_([*weights], values)


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for pieces, state and the log")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many steps; the rate decays over the last part")
    parser.add_argument("--weights", type=Path, default=HERE, help="where to export")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(options.out / "train.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    for split, count in (("train", TRAIN_COUNT), ("validation", VALIDATION_COUNT)):
        prepare(options.out / "pieces", split, count)
        log.info("%d scenes of the split %s are cut", count, split)
    trainer = Trainer(options.out, options.steps)
    trainer.run()
    log.info("exported %.2f MB", trainer.export(options.weights) / 1e6)


if __name__ == "__main__":
    main()
