"""OpenAI's images, by its official package: generations, and edits with or without a mask."""

from __future__ import annotations

from functools import partial

import openai

from pipeline.hosted.call import Arrival, Call, Watch
from pipeline.hosted.providers.openai_errors import explaining
from pipeline.hosted.providers.openai_images import arrivals, ask, client, decoded, last
from pipeline.hosted.retry import patiently

PATIENCE = 300.0
"""Seconds without a word from OpenAI: large pictures in high quality take two minutes."""
PARTIALS = 2
"""Previews of a picture; each is charged as 100 tokens of output (guide to image generation, “Partial images cost”)."""
_OF_ONE = {"moderation": "generate", "input_fidelity": "edit"}
"""Options that only one of the two methods takes (openai 3.52.0)."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`. A single picture shows how it develops."""
    with client(call, PATIENCE) as opened:
        return patiently(watch, partial(_ordered, opened, call, watch))


def _ordered(opened: openai.OpenAI, call: Call, watch: Watch) -> list[Arrival]:
    method = "edit" if call.image else "generate"
    options = {name: value for name, value in call.options.items() if _OF_ONE.get(name, method) == method}
    with explaining(call):
        if call.count == 1:
            with ask(opened, call, **options, output_format="png", stream=True, partial_images=PARTIALS) as stream:
                return last(stream, call, watch, decoded)
        answer = ask(opened, call, **options, output_format="png")
        return arrivals(call, answer, getattr(answer, "_request_id", None) or "", decoded)
