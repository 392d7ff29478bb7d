"""Joint training of the text encoders and the transformer with rectified flow.

The learning rate has three phases counted in steps: warm-up, stable, decay (Hu et al. 2024, MiniCPM). The
stable phase has no planned end: its state is saved, and a decay is a branch from that state. So a later
sitting can continue the stable phase for hours and decay again.

Every random draw of a step depends only on the step number, so a resumed run repeats the same batches.
"""

from __future__ import annotations

import logging
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from demo.captions import caption, describe
from demo.data import scene_at
from demo.scenes import COLOURED, COLOURS, MONOCHROME, PLACES, STYLES, TERRAINS, THINGS, TIMES, WEATHERS, Scene
from demo.text import AttributeProbe, TextEncoders
from demo.transformer import IGNORE, LabelHead, TracedTransformer, build_transformer, patch_targets

log = logging.getLogger(__name__)

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "thing": THINGS, "colour": COLOURS, "terrain": TERRAINS, "time": TIMES, "weather": WEATHERS, "style": STYLES,
    "place": PLACES,
}  # fmt: skip

BATCH = 32
MUON_RATE = 1.5e-2
ADAM_RATE = 1.2e-3
WARMUP_STEPS = 100
TEXT_WARMUP_STEPS = 250
FINAL_FRACTION = 0.02
EMA_DECAY = 0.999
LABEL_WEIGHT_START, LABEL_WEIGHT_END, LABEL_WEIGHT_STEPS = 0.3, 0.1, 4000
SAVE_EVERY = 500


@dataclass
class Batch:
    """Latents of some scenes with fresh captions and the targets of the label head."""

    latents: Tensor
    clip_ids: Tensor
    t5_ids: Tensor
    targets: Tensor


class LatentData:
    """Latents, label maps and scenes of one split, as batches."""

    def __init__(self, split: str, latents: Tensor, labels: Tensor, text: TextEncoders, device: torch.device) -> None:
        self.latents, self.labels, self.text, self.device = latents, labels, text, device
        self.scenes = [scene_at(split, index) for index in range(len(latents))]

    def batch(self, rows: list[int], rng: random.Random) -> Batch:
        """The scenes with these indices, newly described."""
        scenes = [self.scenes[row] for row in rows]
        clip_ids, t5_ids = self.text.tokenize([caption(rng, scene) for scene in scenes])
        index = attribute_indices(scenes)
        targets = patch_targets(self.labels[rows], index["colour"], index["time"], index["weather"], index["style"])
        parts = (self.latents[rows].float(), clip_ids, t5_ids, targets)
        return Batch(*(part.to(self.device) for part in parts))


def attribute_indices(scenes: list[Scene]) -> dict[str, Tensor]:
    """Attribute values as class indices; a colour nobody can see is ignored."""

    def index(scene: Scene, name: str) -> int:
        hidden = scene.thing not in COLOURED or scene.style in MONOCHROME
        return IGNORE if name == "colour" and hidden else ATTRIBUTES[name].index(getattr(scene, name))

    return {name: torch.tensor([index(scene, name) for scene in scenes]) for name in ATTRIBUTES}


class Networks(nn.Module):
    """Everything that trains together."""

    def __init__(self, text: TextEncoders) -> None:
        super().__init__()
        self.text = text
        self.flow = TracedTransformer(build_transformer())
        self.head = LabelHead()


def warm_up_text(text: TextEncoders, device: torch.device) -> None:
    """Teach the text encoders to tell the attributes apart before the transformer listens to them."""
    probe = AttributeProbe({name: len(values) for name, values in ATTRIBUTES.items()}).to(device)
    optimiser = torch.optim.AdamW([*text.parameters(), *probe.parameters()], lr=1e-3, betas=(0.9, 0.99))
    rng = random.Random(3)
    for step in range(TEXT_WARMUP_STEPS):
        scenes = [scene_at("train", rng.randrange(10**6)) for _ in range(2 * BATCH)]
        ids = text.tokenize([describe(rng, scene) for scene in scenes])
        targets = {name: value.to(device) for name, value in attribute_indices(scenes).items()}
        loss = probe(*text(*(part.to(device) for part in ids)), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if (step + 1) % 50 == 0:
            log.info("text %4d  loss %.3f", step + 1, loss.item() / len(probe.heads))


def noise_levels(count: int, generator: torch.Generator) -> Tensor:
    """Stratified logit-normal noise levels in (0, 1), the sampling of Esser et al. (2024), section 3.1."""
    uniform = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return torch.sigmoid(torch.special.ndtri(uniform.clamp(1e-4, 1 - 1e-4)))


def losses(nets: Networks, batch: Batch, flow: nn.Module, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flow loss and label loss of a batch. The network predicts noise minus latent from their mixture."""
    count = len(batch.latents)
    sigma = noise_levels(count, generator).to(batch.latents.device)
    noise = torch.randn(batch.latents.shape, generator=generator).to(batch.latents.device)
    mixed = torch.lerp(batch.latents, noise, sigma[:, None, None, None])
    with torch.autocast(batch.latents.device.type, torch.bfloat16):
        context, pooled = nets.text(batch.clip_ids, batch.t5_ids)
        velocity, middle = flow(mixed, context, pooled, 1000 * sigma)
        label_loss = nets.head(middle, batch.targets)
    return F.mse_loss(velocity.float(), noise - batch.latents), label_loss


def build_optimisers(nets: Networks) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformer blocks, AdamW for everything else (Jordan et al. 2024)."""
    matrices = [
        parameter
        for name, parameter in nets.flow.model.transformer_blocks.named_parameters()
        if parameter.ndim == 2 and ".norm1" not in f".{name}"
    ]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in nets.parameters() if id(parameter) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.99), weight_decay=0.0),
    ]


def rate_factor(step: int, decay_start: int | None, decay_steps: int) -> float:
    """Warm-up, stable, and (from `decay_start`) a linear decay to two per cent."""
    if decay_start is None:
        return min(1.0, (step + 1) / WARMUP_STEPS)
    return 1 - (1 - FINAL_FRACTION) * min(1.0, (step - decay_start) / decay_steps)


class FlowTrainer:
    """The networks with their optimisers, moving average and step counter, saved and restored together."""

    def __init__(self, nets: Networks, train: LatentData, validation: LatentData, state: Path) -> None:
        self.nets, self.train, self.validation, self.state = nets, train, validation, state
        self.optimisers = build_optimisers(nets)
        self.average = {name: value.detach().clone() for name, value in nets.state_dict().items()}
        self.step = 0
        can_compile = train.device.type == "cuda" or shutil.which("g++")
        self.flow: nn.Module = torch.compile(nets.flow) if can_compile else nets.flow  # type: ignore[assignment]

    def save(self, path: Path) -> None:
        """Write the whole state; a crash while writing leaves the last one intact."""
        partial = path.with_suffix(".partial")
        torch.save({
            "step": self.step, "nets": self.nets.state_dict(), "average": self.average,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }, partial)  # fmt: skip
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a saved state."""
        saved = torch.load(path, map_location=self.train.device, weights_only=True)
        self.step, self.average = saved["step"], saved["average"]
        self.nets.load_state_dict(saved["nets"])
        for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)

    def run(self, until: int, decay_start: int | None = None) -> None:
        """Train up to a step; with `decay_start` the learning rate falls from there to the end."""
        base_rates = (MUON_RATE, ADAM_RATE)
        began, first = time.monotonic(), self.step
        while self.step < until:
            factor = rate_factor(self.step, decay_start, until - (decay_start or 0))
            for optimiser, base in zip(self.optimisers, base_rates, strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = base * factor
            flow_loss, label_loss = self._one_step()
            if self.step % 100 == 0:
                speed = (self.step - first) * BATCH / (time.monotonic() - began)
                log.info("flow %6d  loss %.4f  labels %.3f  rate %.3f  %.0f samples/s",
                         self.step, flow_loss, label_loss, factor, speed)  # fmt: skip
            if self.step % SAVE_EVERY == 0 or self.step == until:
                self.save(self.state)
                log.info("flow %6d  held-out loss %.4f (moving average)", self.step, self.held_out_loss())

    def _one_step(self) -> tuple[float, float]:
        rng = random.Random(self.step)
        generator = torch.Generator().manual_seed(self.step)
        batch = self.train.batch([rng.randrange(len(self.train.scenes)) for _ in range(BATCH)], rng)
        flow_loss, label_loss = losses(self.nets, batch, self.flow, generator)
        progress = min(1.0, self.step / LABEL_WEIGHT_STEPS)
        weight = LABEL_WEIGHT_START + (LABEL_WEIGHT_END - LABEL_WEIGHT_START) * progress
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        (flow_loss + weight * label_loss).backward()
        nn.utils.clip_grad_norm_(self.nets.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        current = self.nets.state_dict()
        pairs = [(self.average[name], value) for name, value in current.items() if value.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)
        return flow_loss.item(), label_loss.item()

    def held_out_loss(self, batches: int = 8) -> float:
        """Flow loss of the moving average on held-out renders, with the same noise every time."""
        raw = {name: value.clone() for name, value in self.nets.state_dict().items()}
        self.nets.load_state_dict(self.average)
        generator, rng, total = torch.Generator().manual_seed(1), random.Random(1), 0.0
        for k in range(batches):
            batch = self.validation.batch(list(range(k * BATCH, (k + 1) * BATCH)), rng)
            # Gradients stay on: switching them off would make the compiler build a second program.
            total += losses(self.nets, batch, self.flow, generator)[0].item()
        self.nets.load_state_dict(raw)
        return total / batches
