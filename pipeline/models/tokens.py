"""How much of what a model reads a prompt takes, counted without loading the model.

What matters is the encoder that reads longest: the T5 of Stable Diffusion 3. In every family with several encoders
it is the last one, so its tokenizer is `tokenizer_3`, or `tokenizer_2` where there are two. The CLIP encoders read
only the beginning of a long prompt, which changes the picture less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import RobertaProcessing

from pipeline.models import emphasis
from pipeline.models.files import hub
from pipeline.models.registry import ModelRecord

_LONGEST_FIRST = ("tokenizer_3", "tokenizer_2", "tokenizer", "clip_tokenizer")
_CHARACTERS_PER_TOKEN = 5
"""Of a word, for the estimate: English words of up to five letters are mostly one T5 token."""

_CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP's tokenizer takes for a word, as in transformers' `CLIPTokenizer`."""


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
    """Count `text` with the checkpoint's own tokenizer, or estimate when that is not here. Needs no network.

    The marks of prompt weights are no tokens, where the model's family takes such weights.
    """
    text = emphasis.plain(text) if emphasis.takes_weights(record) else text
    tokenizer = next((_tokenizer(folder) for folder in _folders(record)), None)
    if tokenizer is None:
        return TokenCount(tokens=_estimate(text), limit=record.prompt_tokens, exact=False)
    marks = tokenizer.num_special_tokens_to_add(False)
    starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
    kept = record.prompt_tokens - marks
    cut = text[starts[kept] :] if len(starts) > kept else ""
    return TokenCount(tokens=len(starts) + marks, limit=record.prompt_tokens, exact=True, cut=cut)


def _folders(record: ModelRecord) -> Iterator[Path]:
    """The folders with the record's tokenizers that are on this disk, that of the longest-reading encoder first."""
    for place in hub.places(record).values():
        for name in _LONGEST_FIRST:
            if (place / name / "tokenizer_config.json").is_file():
                yield place / name


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer without its own cutting and padding; None when it is damaged, or in a format that only its own
    library reads."""
    try:
        tokenizer = _read(folder)
    except Exception:  # the library raises nothing narrower
        return None
    if tokenizer is not None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
    return tokenizer


def _read(folder: Path) -> Tokenizer | None:
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return _clip(folder) if str(config.get("tokenizer_class")).startswith("CLIPTokenizer") else None


def _clip(folder: Path) -> Tokenizer:
    """CLIP's tokenizer from the two files that older repositories have, built as transformers builds it."""
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    begin, end = "<|startoftext|>", "<|endoftext|>"
    model = BPE.from_file(
        str(folder / "vocab.json"), str(folder / "merges.txt"), unk_token=end, end_of_word_suffix="</w>"
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.post_processor = RobertaProcessing((end, vocabulary[end]), (begin, vocabulary[begin]), False, False)
    return tokenizer


def _estimate(text: str) -> int:
    pieces = re.findall(r"\w+|[^\w\s]", text)
    return sum(ceil(len(piece) / _CHARACTERS_PER_TOKEN) for piece in pieces) + 1
