"""Any server that speaks as OpenAI does, another Darkroom first of all: the same calls, and a seed."""

from __future__ import annotations

from functools import partial
from typing import Any

import openai
from openai.types import Image as Item

from pipeline.hosted.call import Arrival, Call, Watch
from pipeline.hosted.providers.download import fetched
from pipeline.hosted.providers.openai_errors import explaining
from pipeline.hosted.providers.openai_images import arrivals, ask, client, decoded, last
from pipeline.hosted.retry import patiently

PATIENCE = 1800.0
"""Seconds for an answer: such a server may have a queue, load its model first, and draw on a CPU."""
PARTIALS = 3
"""Previews that a Darkroom is asked for, at most; it says that it is still there in between."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`. A Darkroom shows how a single picture develops."""
    with client(call, PATIENCE) as opened:
        opened.organization = opened.project = None  # the environment names OpenAI's, which nobody else is told
        found = patiently(watch, partial(_ordered, opened, call, watch))
    for warning in dict.fromkeys(warning for one in found for warning in one.warnings):
        watch.warn(f"{call.provider.name}: {warning}")
    return found


def _ordered(opened: openai.OpenAI, call: Call, watch: Watch) -> list[Arrival]:
    fields = {"response_format": "b64_json", "extra_body": _beside(call)}
    read = partial(_read, call)
    with explaining(call):
        if call.model.darkroom and call.count == 1:
            with ask(opened, call, **fields, stream=True, partial_images=PARTIALS) as stream:
                return last(stream, call, watch, read)
        answer = ask(opened, call, **fields)
        return arrivals(call, answer, getattr(answer, "_request_id", None) or "", read)


def _beside(call: Call) -> dict[str, Any]:
    """What OpenAI has no field for, by the names that a Darkroom takes (`api/openai/wish.py`), and many others do."""
    request, model = call.request, call.model
    given: dict[str, Any] = dict(call.options)
    if model.seed:
        given["seed"] = request.seed
    if model.negative_prompt and request.negative_prompt:
        given["negative_prompt"] = request.negative_prompt
    if model.darkroom:
        names = ["num_inference_steps", "guidance_scale", "scheduler", "strength"]
        names += [*(["fit"] if request.image else []), *(["mask_feather"] if request.mask else [])]
        given |= {name: value for name in names if (value := getattr(request, name)) is not None}
    return given


def _read(call: Call, item: Item) -> bytes:
    """The file of one picture, sent or to be fetched."""
    url = getattr(item, "url", None)
    return decoded(item) or (fetched(call, url) if isinstance(url, str) else b"")
