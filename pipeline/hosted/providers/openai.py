"""OpenAI's images, by its official package: generations, and edits with or without a mask."""

from __future__ import annotations

from functools import partial
from typing import Any

import openai
from openai.types import ImagesResponse

from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Watch
from pipeline.hosted.providers.openai_errors import explaining
from pipeline.hosted.providers.openai_images import arrival, arrivals, ask, client, decoded, preview
from pipeline.hosted.retry import patiently

PATIENCE = 300.0
"""Seconds without a word from OpenAI: large pictures in high quality take two minutes."""
PARTIALS = 2
"""Previews of a picture; each is charged as 100 tokens of output (guide to image generation, “Partial images cost”)."""
_OF_ONE = {"moderation": "generate", "input_fidelity": "edit"}
"""Options that only one of the two methods takes (openai 3.52.0)."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`. A single picture shows how it develops."""
    with client(call, call.keys["OPENAI_API_KEY"], PATIENCE) as opened:
        return patiently(watch, partial(_ordered, opened, call, watch))


def _ordered(opened: openai.OpenAI, call: Call, watch: Watch) -> list[Arrival]:
    method = "edit" if call.image else "generate"
    options = {name: value for name, value in call.options.items() if _OF_ONE.get(name, method) == method}
    with explaining(call):
        if call.count == 1:
            with ask(opened, call, **options, output_format="png", stream=True, partial_images=PARTIALS) as stream:
                return _streamed(stream, call, watch)
        answer = ask(opened, call, **options, output_format="png")
        return arrivals(call, answer, getattr(answer, "_request_id", None) or "", decoded)


def _streamed(stream: openai.Stream[Any], call: Call, watch: Watch) -> list[Arrival]:
    """The picture at the end of a stream."""
    headers = stream.response.headers
    request_id = headers.get("x-request-id", "")
    if "event-stream" not in headers.get("content-type", ""):  # from a server between that streams nothing
        stream.response.read()
        found = stream.response.json()
        answer = ImagesResponse.construct(**found) if isinstance(found, dict) else None
        return arrivals(call, answer, request_id, decoded)
    for event in stream:
        kind = str(getattr(event, "type", ""))
        if kind.endswith(".partial_image") and (jpeg := preview(decoded(event))):
            watch.preview(jpeg)
        elif kind.endswith(".completed"):
            return _completed(event, call, request_id)
    raise refusals.cut_off(call, "the stream ended before the picture was there")


def _completed(event: Any, call: Call, request_id: str) -> list[Arrival]:
    if not (data := decoded(event)):
        raise refusals.malformed(call, "the last event has no picture that can be read")
    return [arrival(event, data, request_id)]
