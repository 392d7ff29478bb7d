"""Prompt weights in the syntax that people know from A1111, told apart from the words.

    (word)          1.1 times          ((word))        1.21 times
    [word]          1 / 1.1 times      (word:1.2)      1.2 times; only with round brackets
    \\( \\) \\[ \\]     the bracket itself

A bracket without its partner is an ordinary character, and so are brackets around nothing. Weights multiply where
brackets are nested. So does “(a house)” in an ordinary sentence: it counts 1.1 times, as it does in A1111. What A1111
reads into `[from:to:0.5]`, a change of the prompt on the way, is not done here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.models.registry import ModelRecord

FAMILIES = frozenset({"sd15", "sd21", "sdxl", "sd3", "flux"})
"""Families whose text encoders take weights."""
STEP = 1.1
LIMIT = 10.0
"""Weights beyond this, of either sign, count as this; pictures fall apart long before."""
_PARTNERS = {"(": ")", "[": "]"}
_TOKEN = re.compile(r"\\[\\()\[\]]|[()\[\]]|[^\\()\[\]]+|\\", re.DOTALL)
_ESCAPED = re.compile(r"\\[\\()\[\]]")
_NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the prompt with one weight."""

    text: str
    weight: float


def takes_weights(record: ModelRecord) -> bool:
    """Whether the model weights parts of a prompt; others take the brackets literally."""
    return record.family in FAMILIES


def pieces(prompt: str) -> list[Piece]:
    """The prompt without its syntax, in stretches of one weight each; neighbours of the same weight are one."""
    tokens = _TOKEN.findall(prompt)
    return _joined(_weighted(tokens, _partners(tokens)))


def is_weighted(prompt: str) -> bool:
    """Whether any part of the prompt has a weight of its own."""
    return any(piece.weight != 1.0 for piece in pieces(prompt))


def plain(prompt: str) -> str:
    """The prompt without its syntax: the words that the text encoders read."""
    return "".join(piece.text for piece in pieces(prompt))


def _partners(tokens: list[str]) -> dict[int, int]:
    """Place of each opening bracket → place of the one that closes it; brackets without a partner are left out."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token in _PARTNERS:
            opened.append(place)
        elif token in _PARTNERS.values():
            matching = next((start for start in reversed(opened) if _PARTNERS[tokens[start]] == token), None)
            if matching is not None:
                del opened[opened.index(matching) :]
                found[matching] = place
    return found


def _weighted(marks: list[str], partners: dict[int, int]) -> list[Piece]:
    """Every mark that is not syntax, with the product of the brackets around it. No recursion: a prompt may be
    thousands of brackets."""
    found: list[Piece] = []
    around: list[tuple[int, float]] = []
    """Where each open bracket closes, and the weight inside it."""
    shortened: dict[int, str] = {}
    for place, mark in enumerate(marks):
        weight = around[-1][1] if around else 1.0
        close = partners.get(place)
        if close is not None and "".join(marks[place + 1 : close]).strip():
            number = _NUMBER.search(marks[close - 1]) if mark == "(" else None
            if number is not None:
                shortened[close - 1] = marks[close - 1][: number.start()]
            factor = float(number[1]) if number else STEP if mark == "(" else 1 / STEP
            around.append((close, weight * factor))
        elif around and around[-1][0] == place:
            around.pop()
        else:
            text = shortened.get(place, mark)
            found.append(Piece(text[1:] if _ESCAPED.fullmatch(text) else text, weight))
    return found


def _joined(found: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in found:
        if not piece.text:
            continue
        weight = round(min(max(piece.weight, -LIMIT), LIMIT), 4)
        if joined and joined[-1].weight == weight:
            joined[-1] = Piece(joined[-1].text + piece.text, weight)
        else:
            joined.append(Piece(piece.text, weight))
    return joined
