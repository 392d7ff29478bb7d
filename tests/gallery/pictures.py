"""Pictures to save: a few real pixels, and a complete recipe."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.events import Picture
from pipeline.gallery import Gallery
from pipeline.gallery.metadata import Origin
from pipeline.recipe import Recipe

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ORIGIN = Origin(id="0123456789abcdef", job_id="job-1", index=0)


def make_recipe(rgb: bytes = bytes(16 * 8 * 3), **changes: Any) -> Recipe:
    """A recipe for 16 × 8 pixels with every field filled."""
    fields: dict[str, Any] = {
        "prompt": "a red house by the sea",
        "negative_prompt": "fog",
        "model": "stabilityai/stable-diffusion-3.5-medium",
        "model_revision": "b940f670f0eda2d07fbb75229e779da1ad11eb80",
        "num_inference_steps": 28,
        "guidance_scale": 4.5,
        "width": 16,
        "height": 8,
        "seed": 42,
        "scheduler": "FlowMatchEulerDiscreteScheduler",
        "scheduler_config": {"shift": 3.0},
        "quantization": "none",
        "offload": "none",
        "dtype": "float32",
        "device": "cpu (2 cores)",
        "versions": {"torch": "2.13.0"},
        "seconds": 1.5,
        "created_at": datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC),
        "sha256": hashlib.sha256(rgb).hexdigest(),
    }
    return Recipe(**(fields | changes))


def make_picture(index: int = 0, **changes: Any) -> Picture:
    """A picture whose pixels depend on its seed."""
    seed = changes.get("seed", 42)
    rgb = bytes((seed + place) % 256 for place in range(16 * 8 * 3))
    return Picture(index=index, rgb=rgb, recipe=make_recipe(rgb, **changes))


def at(second: int, **changes: Any) -> Picture:
    """A picture made so many seconds after noon."""
    return make_picture(created_at=NOON + timedelta(seconds=second), **changes)


def open_gallery(outputs: Path) -> Gallery:
    """The gallery of a folder, as a studio opens it."""
    return Gallery(outputs, outputs / ".darkroom" / "studio.db")
