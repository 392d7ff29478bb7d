"""The header of a safetensors file: names, dtypes and shapes of its tensors, and its metadata, without the weights.

The format (https://github.com/huggingface/safetensors#format): eight bytes of little-endian length, then that many
bytes of JSON, then the tensors. It is read here in plain Python because the web process has no torch.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAX_HEADER = 100_000_000
"""Bytes of JSON that the format allows."""

_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor of a file."""

    dtype: str
    """As the format names it, such as `BF16`."""
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says about itself."""

    tensors: dict[str, TensorFacts]
    metadata: dict[str, str]
    weight_bytes: int
    """Bytes of all tensors in the file's own dtypes."""

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(tensor.count for tensor in self.tensors.values())


def read_header(path: Path) -> Header:
    """The header of the file at `path`. Raises `ValueError` for a file that is damaged, cut short or of another
    format, and `OSError`."""
    with path.open("rb") as stream:
        length, tensors, metadata = _parse(stream)
    end = max((int(value["data_offsets"][1]) for value in tensors.values()), default=0)
    missing = 8 + length + end - path.stat().st_size
    if missing > 0:
        raise ValueError(f"it is cut short: {missing:,} bytes are missing")
    facts = {name: TensorFacts(value["dtype"], tuple(value["shape"])) for name, value in tensors.items()}
    size = sum(tensor.count * _BITS.get(tensor.dtype, 8) // 8 for tensor in facts.values())
    return Header(facts, metadata, size)


def _parse(stream: BinaryIO) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Length of the JSON, the tensors' entries and the metadata."""
    start = stream.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= MAX_HEADER:
        raise ValueError("it is not a safetensors file")
    try:
        entries = json.loads(stream.read(length))
        metadata = entries.pop("__metadata__", None) or {}
    except (ValueError, AttributeError):
        raise ValueError("its header is damaged") from None
    return length, entries, metadata
