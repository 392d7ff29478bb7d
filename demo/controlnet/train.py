"""Trains the ControlNet on the frozen checkpoint: `python -m demo.controlnet.train --out runs/controlnet`.

Stages: pairs (render, find edges, encode), steps, layout steps, export. Stop at any time and run the same command again
to go on.
Every random draw of a step depends only on the step number, so a resumed run repeats the same batches.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import SD3ControlNetModel, SD3Transformer2DModel, StableDiffusion3Pipeline
from torch import Tensor, nn

from demo.captions import describe
from demo.controlnet.pairs import CHECKPOINT, TRAIN_COUNT, VALIDATION_COUNT, load_split, prepare_split
from demo.diffusion import noise_levels
from demo.scenes import Scene
from demo.text import MAX_TOKENS

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
LAYERS = 2
"""The base spreads these over its five blocks: the first serves three, the second one. A third would serve none."""
STEPS, LAYOUT_STEPS = 2500, 1500
LAYOUT_SHARE, LAYOUT_FROM = 0.75, 0.7
"""In the layout steps, the part of a batch whose noise is above that level. There a picture is laid out; the usual
levels seldom reach it, so the first steps teach the net details."""
BATCH = 8
RATE = 1e-3
WARMUP_STEPS = 100
DECAY_SHARE, FINAL_FRACTION = 0.4, 0.02
EMA_DECAY = 0.997
CAPTION_SHARE = 0.5
"""Part of the scenes that come with words; the others teach the net to say everything itself."""
SAVE_EVERY = 200
SIZE_LIMIT = 8_000_000


def build_controlnet(base: SD3Transformer2DModel) -> SD3ControlNetModel:
    """A net of the base's first blocks and embeddings, whose outputs are zero: at first it changes nothing."""
    known = set(inspect.signature(SD3ControlNetModel.__init__).parameters)
    config = {name: value for name, value in base.config.items() if name in known}
    config |= {"num_layers": LAYERS, "force_zeros_for_pooled_projection": False}
    net = SD3ControlNetModel(**config)
    missing = net.load_state_dict(base.state_dict(), strict=False).missing_keys
    if not all(name.startswith(("controlnet_blocks", "pos_embed_input")) for name in missing):
        raise ValueError(f"The base has no weights for {', '.join(missing)}.")
    # The outputs are zero, so the input need not be: with both at zero neither would learn for a while.
    nn.init.xavier_uniform_(net.pos_embed_input.proj.weight.flatten(1))
    return net


def build_optimiser(net: SD3ControlNetModel) -> torch.optim.Optimizer:
    """AdamW: Muon, with which the checkpoint was trained, computes in bfloat16, which many CPUs only imitate."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)


def rate_factor(step: int, total: int, warmup: int = WARMUP_STEPS) -> float:
    """Warm-up, stable, and a linear decay to two per cent at the end."""
    decay = max(0.0, (step - (1 - DECAY_SHARE) * total) / (DECAY_SHARE * total))
    return min(1.0, (step + 1) / warmup) * (1 - (1 - FINAL_FRACTION) * decay)


@torch.no_grad()
def features(pipeline: StableDiffusion3Pipeline, captions: list[str]) -> tuple[Tensor, Tensor]:
    """Of captions: of their tokens (N, 64, 192), and pooled (N, 192)."""
    context, _, pooled, _ = pipeline.encode_prompt(
        captions, None, None, do_classifier_free_guidance=False, max_sequence_length=MAX_TOKENS
    )
    return context, pooled


class Split:
    """Latents and scenes of one split, as batches."""

    def __init__(self, folder: Path, split: str, count: int) -> None:
        self.pictures, self.edges, self.scenes = load_split(folder, split, count)

    def batch(self, rows: list[int], rng: random.Random) -> tuple[Tensor, Tensor, list[str]]:
        """Latents of pictures and edges, both (N, 8, 32, 32), and captions, some of them empty."""
        captions = [_words(rng, self.scenes[row]) for row in rows]
        return self.pictures[rows].float(), self.edges[rows].float(), captions


def layout_levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels (N,) of a batch of the layout steps: most of them high, the rest as usual."""
    high = round(LAYOUT_SHARE * count)
    levels = LAYOUT_FROM + (1 - LAYOUT_FROM) * torch.rand(high, generator=generator)
    return torch.cat([levels, noise_levels(count - high, generator)])


def _words(rng: random.Random, scene: Scene) -> str:
    return describe(rng, scene) if rng.random() < CAPTION_SHARE else ""


class Trainer:
    """The net with its optimiser, moving average and step counter, saved and restored together."""

    def __init__(self, out: Path, steps: int, layout_steps: int) -> None:
        self.state, self.step = out / "state.pt", 0
        self.steps, self.layout_steps, self.total = steps, layout_steps, steps + layout_steps
        self.pipeline = StableDiffusion3Pipeline.from_pretrained(CHECKPOINT, vae=None, dtype=torch.float32)
        self.base = self.pipeline.transformer.requires_grad_(False)
        torch.manual_seed(0)
        self.net = build_controlnet(self.base)
        self.optimiser = build_optimiser(self.net)
        self.average = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        self.train = Split(out / "pairs", "train", TRAIN_COUNT)
        self.validation = Split(out / "pairs", "validation", VALIDATION_COUNT)
        if self.state.exists():
            self._load()

    def loss(
        self,
        batch: tuple[Tensor, Tensor, list[str]],
        generator: torch.Generator,
        scale: float = 1.0,
        levels: Callable[[int, torch.Generator], Tensor] = noise_levels,
    ) -> Tensor:
        """Flow loss: the base, steered by the net, predicts noise minus latent from their mixture."""
        latents, edges, captions = batch
        sigma = levels(len(latents), generator)
        noise = torch.randn(latents.shape, generator=generator)
        mixed = torch.lerp(latents, noise, sigma[:, None, None, None])
        context, pooled = features(self.pipeline, captions)
        steered = self.net(mixed, edges, scale, context, pooled, 1000 * sigma, return_dict=False)[0]
        velocity = self.base(
            mixed, context, pooled, 1000 * sigma, block_controlnet_hidden_states=steered, return_dict=False
        )[0]
        return F.mse_loss(velocity, noise - latents)

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
                with_net, without = self.held_out_loss(1.0), self.held_out_loss(0.0)
                log.info("step %5d  held-out loss %.4f (moving average), %.4f without", self.step, with_net, without)

    def _one_step(self) -> float:
        layout = self.step >= self.steps
        place = (self.step - self.steps, self.layout_steps) if layout else (self.step, self.steps)
        self.optimiser.param_groups[0]["lr"] = RATE * rate_factor(*place)
        self.optimiser.zero_grad(set_to_none=True)
        rng, generator = random.Random(self.step), torch.Generator().manual_seed(self.step)
        rows = [rng.randrange(len(self.train.scenes)) for _ in range(BATCH)]
        levels = layout_levels if layout else noise_levels
        loss = self.loss(self.train.batch(rows, rng), generator, levels=levels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.values()), list(self.net.state_dict().values()), 1 - decay)
        return loss.item()

    @torch.no_grad()
    def held_out_loss(self, scale: float) -> float:
        """Flow loss of the moving average on held-out scenes at a conditioning scale, the noise always the same."""
        raw = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average)
        rng, generator, losses = random.Random(1), torch.Generator().manual_seed(1), []
        for start in range(0, VALIDATION_COUNT, BATCH):
            batch = self.validation.batch(list(range(start, start + BATCH)), rng)
            losses.append(self.loss(batch, generator, scale).item())
        self.net.load_state_dict(raw)
        return sum(losses) / len(losses)

    def _save(self) -> None:
        """Write the whole state; a crash while writing leaves the last one intact."""
        partial = self.state.with_suffix(".partial")
        torch.save({"step": self.step, "net": self.net.state_dict(), "average": self.average,
                    "optimiser": self.optimiser.state_dict()}, partial)  # fmt: skip
        partial.replace(self.state)

    def _load(self) -> None:
        saved = torch.load(self.state, weights_only=True)
        self.step, self.average = saved["step"], saved["average"]
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])


def export(state: Path, folder: Path) -> int:
    """Save the moving average in bfloat16 beside this file's code; returns the bytes of the weights."""
    base = SD3Transformer2DModel.from_pretrained(CHECKPOINT, subfolder="transformer", dtype=torch.float32)
    net = build_controlnet(base)
    net.load_state_dict(torch.load(state, weights_only=True)["average"])
    net.to(torch.bfloat16).save_pretrained(folder)
    weights = folder / "diffusion_pytorch_model.safetensors"
    weights.chmod(0o644)  # written readable for the owner only
    size = weights.stat().st_size
    if size > SIZE_LIMIT:
        raise ValueError(f"{weights} takes {size / 1e6:.1f} MB; the limit is {SIZE_LIMIT / 1e6:.0f} MB.")
    return size


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for pairs, state and the log")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many steps; the rate decays over the last part")
    parser.add_argument("--layout-steps", type=int, default=LAYOUT_STEPS, help="the same of those for the layout")
    parser.add_argument("--processes", type=int, default=1, help="how many encode the pairs at once")
    parser.add_argument("--weights", type=Path, default=HERE, help="where to export")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(options.out / "train.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    for split, count in (("train", TRAIN_COUNT), ("validation", VALIDATION_COUNT)):
        prepare_split(options.out / "pairs", split, count, options.processes)
    trainer = Trainer(options.out, options.steps, options.layout_steps)
    trainer.run()
    log.info("exported %.2f MB", export(trainer.state, options.weights) / 1e6)


if __name__ == "__main__":
    main()
