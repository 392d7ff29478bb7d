"""The components that checkpoints are made of, and how large they are before anything is downloaded.

`architectures.toml` names each once, with the configuration that its figures were counted from.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class Architecture(BaseModel):
    """One component's class, configuration and size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["diffusers", "transformers"]
    kind: str
    """Class name."""
    parameters: PositiveInt
    linear: NonNegativeInt
    """Parameters in the weights of linear layers, which bitsandbytes can quantise."""
    kept: NonNegativeInt = 0
    """Of these, what transformers keeps in 16 bits all the same, such as T5's `wo`."""
    buffers: NonNegativeInt = 0
    """Numbers in persistent buffers, which are never quantised."""
    config: dict[str, Any] = {}
    """What differs from the class's default configuration."""


def _read() -> dict[str, Architecture]:
    data = tomllib.loads(Path(__file__).with_name("architectures.toml").read_text(encoding="utf-8"))
    return {key: Architecture.model_validate(value) for key, value in data.items()}


ARCHITECTURES = _read()
