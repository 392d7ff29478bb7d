"""UniDiffuser, which draws pictures, describes them, or both: here it draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from pipeline.engine.families.base import Family


class UniDiffuser(Family):
    """The mode is pinned, since the pipeline would guess it; its other tokenizer is for describing pictures."""

    def tokenizer(self, pipeline: Any) -> PreTrainedTokenizerBase | None:
        found: PreTrainedTokenizerBase = pipeline.clip_tokenizer
        return found

    @contextmanager
    def calling(self, pipeline: Any) -> Iterator[None]:
        pipeline.set_text_to_image_mode()
        try:
            yield
        finally:
            pipeline.reset_mode()

    def latents(self, pipeline: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
        """What is denoised is the image's latents and its CLIP embedding in one row."""
        image: torch.Tensor = pipeline._split(latents, height, width)[0]
        return image
