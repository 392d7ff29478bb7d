"""How much of what a model reads a prompt takes, counted without loading the model.

What matters is the encoder that reads longest: the T5 of Stable Diffusion 3. In every family with several encoders
it is the last one, so its tokenizer is `tokenizer_3`, or `tokenizer_2` where there are two. The CLIP encoders read
only the beginning of a long prompt, which changes the picture less.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer

from pipeline.models import hub
from pipeline.models.registry import ModelRecord

_LONGEST_FIRST = ("tokenizer_3", "tokenizer_2", "tokenizer")
_CHARACTERS_PER_TOKEN = 5
"""Of a word, for the estimate: English words of up to five letters are mostly one T5 token."""


class TokenCount(BaseModel):
    """The length of a prompt, and how much of it the model reads."""

    model_config = ConfigDict(frozen=True)

    tokens: int
    """Tokens of the whole prompt, with the marks that the encoder adds."""
    limit: int
    """Tokens that the model reads."""
    exact: bool
    """False for an estimate, made while the checkpoint's tokenizer is not on this disk."""
    cut: str = ""
    """The end of the prompt that the model will not read; empty when all is read, and for an estimate."""


def count_tokens(record: ModelRecord, text: str) -> TokenCount:
    """Count `text` with the checkpoint's own tokenizer, or estimate when that is not here. Needs no network."""
    path = _tokenizer_file(record)
    tokenizer = _read(path) if path else None
    if tokenizer is None:
        return TokenCount(tokens=_estimate(text), limit=record.prompt_tokens, exact=False)
    marks = tokenizer.num_special_tokens_to_add(False)
    starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
    kept = record.prompt_tokens - marks
    cut = text[starts[kept] :] if len(starts) > kept else ""
    return TokenCount(tokens=len(starts) + marks, limit=record.prompt_tokens, exact=True, cut=cut)


def _tokenizer_file(record: ModelRecord) -> Path | None:
    """The tokenizer of the longest-reading encoder: in the checkpoint's folder, or in the hub's cache."""
    for folder in _LONGEST_FIRST:
        name = f"{folder}/tokenizer.json"
        path = record.local / name if record.local else hub.cached_file(record, name)
        if path is not None and path.is_file():
            return path
    return None


@lru_cache(maxsize=4)
def _read(path: Path) -> Tokenizer | None:
    """The tokenizer without its own cutting and padding; None when the file is damaged."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception:  # the library raises nothing narrower
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _estimate(text: str) -> int:
    pieces = re.findall(r"\w+|[^\w\s]", text)
    return sum(ceil(len(piece) / _CHARACTERS_PER_TOKEN) for piece in pieces) + 1
