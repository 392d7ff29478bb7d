"""The components that checkpoints are made of, and how large they are before anything is downloaded.

`architectures.toml` names each once, with the configuration that its figures were counted from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt

from pipeline.models.facts import Facts
from pipeline.request import Precision

_BLOCK, _SCALES = 64, 256
"""bitsandbytes' NF4: weights that share a scale, and scales that share one of the second level."""
_TABLES = (16 + 256) * 4
"""Bytes of the two code tables that every NF4 matrix carries along."""


class Architecture(Facts):
    """One component's class, configuration and size."""

    library: Literal["diffusers", "transformers"]
    kind: str
    """Class name."""
    module: str = ""
    """Where the class lives, for one that the library does not offer at its top."""
    parameters: PositiveInt
    linear: NonNegativeInt
    """Parameters in the weights of linear layers, which bitsandbytes can quantise."""
    kept: NonNegativeInt = 0
    """Of these, what transformers keeps in 16 bits all the same, such as T5's `wo`."""
    upcast: NonNegativeInt = 0
    """Parameters that transformers holds in float32 where the rest is float16, such as T5's `wo`."""
    buffers: NonNegativeInt = 0
    """Numbers in persistent buffers, which are never quantised."""
    config: dict[str, Any] = {}
    """What differs from the class's default configuration."""

    def weight_bytes(self, width: int, precision: Precision, *, float16: bool = False) -> int:
        """Bytes that the weights and persistent buffers take in memory.

        `width` is the bytes of a number that is not quantised; `float16` says that it is a float16, in which
        transformers keeps some layers twice as wide. Formulas: `nf4_bytes`, `int8_bytes`. Measured within 2 % on
        quantised models of 20 million parameters and more.
        """
        half = float16 and width == 2
        full = precision == "nf4-full" and not half
        quantized = 0 if precision == "none" else self.linear - (0 if full else self.kept)
        rest = (self.parameters + self.buffers - quantized) * width + (self.upcast * 2 if half else 0)
        return rest + (int8_bytes(quantized) if precision == "int8" else nf4_bytes(quantized))


def nf4_bytes(weights: int, matrices: int = 0) -> int:
    """Bytes of that many weights in NF4 with double quantisation, in `matrices` of their own.

    Half a byte each; one byte of scale for 64; one float32 for 256 scales; two tables for each matrix, which do not
    matter in large models (QLoRA, https://arxiv.org/abs/2305.14314, section 3; `bitsandbytes.functional`).
    """
    return weights // 2 + weights // _BLOCK + 4 * weights // (_BLOCK * _SCALES) + matrices * _TABLES


def int8_bytes(weights: int, rows: int = 0) -> int:
    """Bytes of that many weights in LLM.int8(): one each, and a float32 of scale for each row of a matrix, which is
    less than 1 % (https://arxiv.org/abs/2208.07339)."""
    return weights + 4 * rows


def _read() -> dict[str, Architecture]:
    data = tomllib.loads(Path(__file__).with_name("architectures.toml").read_text(encoding="utf-8"))
    return {key: Architecture.model_validate(value) for key, value in data.items()}


ARCHITECTURES: Mapping[str, Architecture] = _read()
