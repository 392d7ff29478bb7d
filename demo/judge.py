"""The judge: a small network that names what a picture shows, and counts it.

It learns from renders only (and renders that went through the autoencoder), never from generated pictures.
Unlike the generator it has seen every combination of attributes, two or three equal things side by side, and
skies with two suns, so that it can notice the typical faults of a generator.
"""

from __future__ import annotations

import logging
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from demo.autoencoder import to_tensor
from demo.data import load_split, prepare_split, scene_at
from demo.diffusion import ATTRIBUTES, attribute_indices
from demo.scenes import Scene
from demo.transformer import IGNORE

log = logging.getLogger(__name__)

COUNTS = {"things": 4, "lights": 3}
"""What the judge counts, and the number of answers from 0 up."""
TASKS = {name: len(values) for name, values in ATTRIBUTES.items()} | COUNTS
SCENES = {"judge": 10_000, "judge-validation": 1_000}
INPUT = 128
STEPS, BATCH, RATE = 1800, 48, 2e-3
ROUND_TRIP_SHARE = 0.25


class Judge(nn.Module):
    """A convolutional classifier with one output per attribute and count."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 48, 80, 128, 192)
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.GELU()]
            if after > 32:
                blocks += [nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.GELU()]
        self.features = nn.Sequential(*blocks)
        self.heads = nn.Sequential(
            nn.Linear(192 * 16, 256), nn.GELU(), nn.Dropout(0.2), nn.Linear(256, sum(TASKS.values()))
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits per task for pictures in -1..1, 128 x 128."""
        logits = self.heads(self.features(pictures).flatten(1)).float()
        return dict(zip(TASKS, logits.split(list(TASKS.values()), dim=1), strict=True))


def judge_targets(scenes: list[Scene]) -> dict[str, Tensor]:
    """Right answers; the place of several things is not asked for."""
    targets = attribute_indices(scenes)
    alone = torch.tensor([scene.thing != "none" and not scene.copies for scene in scenes])
    targets["place"] = torch.where(alone, targets["place"], IGNORE)
    targets["things"] = torch.tensor([len(s.copies) or int(s.thing != "none") for s in scenes])
    targets["lights"] = torch.tensor([_visible_lights(scene) for scene in scenes])
    return targets


def _visible_lights(scene: Scene) -> int:
    """Suns or moons drawn; IGNORE where a thing or a hill may hide the second one."""
    if scene.weather == "rain" or (scene.weather == "fog" and scene.time == "night"):
        return 0
    hidden = scene.time in ("dawn", "sunset") or scene.style == "pastel" or scene.weather in ("fog", "clouds")
    return IGNORE if hidden else 1 + scene.second_light


def _augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Slight brightness, blur and noise, so that the judge does not depend on the renderer's exact pixels."""
    count = len(pictures)
    gain = 1 + 0.08 * torch.randn(count, 1, 1, 1, generator=generator)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.rand(count, 1, 1, 1, generator=generator) ** 2
    return torch.lerp(pictures, blurred, amount) * gain + 0.03 * torch.randn(pictures.shape, generator=generator)


def judge_input(pictures: np.ndarray) -> Tensor:
    """Pictures (N, 256, 256, 3) in 0..255 as the judge's input."""
    return to_tensor(pictures, INPUT, torch.device("cpu"))


@torch.no_grad()
def _round_trip(vae: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    """Pictures after encoding and decoding."""
    with torch.autocast("cpu", torch.bfloat16):
        latents = vae.encode(to_tensor(pictures, 256, torch.device("cpu"))).latent_dist.mode()
        output: Tensor = vae.decode(latents).sample
    output = (output.float().clamp(-1, 1) + 1) * 127.5
    return output.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _training_pictures(folder: Path, vae: AutoencoderKL) -> Tensor:
    """All training pictures at the judge's size (bytes), a part of them after a round trip."""
    images, _ = load_split(folder, "judge")
    pictures = torch.empty(len(images), INPUT, INPUT, 3, dtype=torch.uint8)
    for start in range(0, len(images), 16):
        chunk = np.asarray(images[start : start + 16])
        if start < ROUND_TRIP_SHARE * len(images):
            chunk = _round_trip(vae, chunk)
        small = (judge_input(chunk) + 1) * 127.5
        pictures[start : start + 16] = small.round().to(torch.uint8).permute(0, 2, 3, 1)
    return pictures


def _untrained() -> Judge:
    judge = Judge()
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares no such call
    return judge


def train_judge(folder: Path, vae: AutoencoderKL) -> Judge:
    """Render the judge's scenes, train it, and keep it in `folder`; a finished one is loaded."""
    judge, file = _untrained(), folder / "judge.pt"
    if file.exists():
        judge.load_state_dict(torch.load(file, weights_only=True))
        return judge.eval()
    for split, count in SCENES.items():
        prepare_split(folder, split, count)
    pictures = _training_pictures(folder, vae)
    targets = judge_targets([scene_at("judge", index) for index in range(len(pictures))])
    torch.manual_seed(0)
    judge = _untrained()
    optimiser = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.02)
    generator = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        rate = RATE * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * step / STEPS)) + 0.005)
        optimiser.param_groups[0]["lr"] = rate
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        batch = _augment(to_tensor(pictures[rows].numpy(), INPUT, torch.device("cpu")), generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = judge(batch.contiguous(memory_format=torch.channels_last))
        parts = [F.cross_entropy(part, targets[name][rows], ignore_index=IGNORE) for name, part in logits.items()]
        loss = sum(parts[1:], parts[0])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if (step + 1) % 200 == 0:
            log.info("judge %5d  loss %.3f", step + 1, loss.item())
    torch.save(judge.state_dict(), file)
    return judge.eval()


@torch.no_grad()
def answers(judge: Judge, pictures: np.ndarray) -> dict[str, Tensor]:
    """The judge's answer per task, as class indices."""
    parts = [judge(judge_input(pictures[start : start + 64])) for start in range(0, len(pictures), 64)]
    return {name: torch.cat([part[name] for part in parts]).argmax(1) for name in TASKS}


def ceiling(judge: Judge, folder: Path, vae: AutoencoderKL | None = None) -> dict[str, float]:
    """Accuracy per task on renders the judge has not seen, optionally after the autoencoder."""
    images, _ = load_split(folder, "judge-validation")
    pictures = np.asarray(images)
    if vae is not None:
        pictures = np.concatenate([_round_trip(vae, pictures[k : k + 16]) for k in range(0, 400, 16)])
    found = answers(judge, pictures)
    targets = judge_targets([scene_at("judge-validation", index) for index in range(len(pictures))])
    result = {}
    for name, target in targets.items():
        asked = target != IGNORE
        result[name] = (found[name][asked] == target[asked]).float().mean().item()
    return result
