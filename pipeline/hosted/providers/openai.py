"""OpenAI's images, by its official package: generations, and edits with or without a mask."""

from __future__ import annotations

import base64
import io

import openai
from openai.types import ImagesResponse
from PIL import Image

from pipeline.errors import DarkroomError
from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Transient, Watch
from pipeline.hosted.retry import patiently

TIMEOUT = 300.0
"""Seconds in which the whole answer must come: large pictures in high quality take two minutes."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`."""
    client = openai.OpenAI(api_key=call.keys["OPENAI_API_KEY"], base_url=call.base_url, max_retries=0, timeout=TIMEOUT)
    with client:
        answer = patiently(watch, lambda: _asked(client, call))
    usage = answer.usage.model_dump() if answer.usage else {}
    counted = {name: value for name, value in usage.items() if isinstance(value, int)}
    return [
        Arrival(base64.b64decode(one.b64_json), revised_prompt=one.revised_prompt or "", usage=counted)
        for one in answer.data or []
        if one.b64_json
    ]


def _asked(client: openai.OpenAI, call: Call) -> ImagesResponse:
    width, height = call.size
    fields = {"model": call.model.source, "prompt": call.request.prompt, "n": call.count, "size": f"{width}x{height}"}
    try:
        if call.image is None:
            return client.images.generate(**fields, **call.options)
        return client.images.edit(**fields, image=_png("image", call.image))
    except openai.APIError as error:
        raise _explained(call, error) from error


def _explained(call: Call, error: openai.APIError) -> DarkroomError | Transient:
    if isinstance(error, openai.AuthenticationError):
        return refusals.key_refused(call)
    return refusals.failed(call, error)


def _png(name: str, image: Image.Image) -> tuple[str, bytes, str]:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"{name}.png", buffer.getvalue(), "image/png"
