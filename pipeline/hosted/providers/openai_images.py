"""OpenAI's interface to pictures, what is sent and what comes: of OpenAI and of servers that speak as it does."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2
import openai
from openai.types import Image as Item
from openai.types import ImagesResponse
from PIL import Image, ImageOps

from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Watch, counted
from pipeline.hosted.enclose import encoded
from pipeline.pictures.patches import black_and_white

CONNECT = 10.0
"""Seconds for a connection to come about."""
KEYLESS = "none"
"""For servers that ask for no key: the package insists on one."""
MAX_SIDE = 512
"""Pixels of a preview's longer side, as of those that are made here."""


def client(call: Call, patience: float) -> openai.OpenAI:
    """OpenAI's client for a call, which asks once; `patience` are the seconds in which something must come."""
    timeout = httpx2.Timeout(patience, connect=CONNECT)
    return openai.OpenAI(api_key=call.key or KEYLESS, base_url=call.base_url, max_retries=0, timeout=timeout)


def ask(client: openai.OpenAI, call: Call, **fields: Any) -> Any:
    """Order the pictures of a call, with `fields` beside those that every server knows. Returns an `ImagesResponse`, or
    a stream of events where `stream` is set; raises what the package does."""
    width, height = call.size
    known: dict[str, Any] = {
        "model": call.model.source,
        "prompt": call.request.prompt,
        "n": call.count,
        "size": f"{width}x{height}",
    }
    if call.image is None:
        return client.images.generate(**known, **fields)
    files: dict[str, Any] = {"image": _file("image", call.image)}
    if call.mask is not None:
        files["mask"] = _file("mask", _cutout(call.mask))
    return client.images.edit(**known, **fields, **files)


def arrivals(call: Call, answer: Any, request_id: str, read: Callable[[Item], bytes]) -> list[Arrival]:
    """The pictures of an answer, but for those that `read` finds nothing in: the others are paid for. Raises
    `ProviderFailed` when none is left."""
    items = answer.data if isinstance(answer, ImagesResponse) and isinstance(answer.data, list) else []
    found = [_arrival(answer, data, request_id, item) for item in items if (data := read(item))]
    if not found:
        raise refusals.malformed(call, "there is no picture in the answer")
    return found


def last(stream: openai.Stream[Any], call: Call, watch: Watch, read: Callable[[Any], bytes]) -> list[Arrival]:
    """The picture at the end of a stream, whose earlier ones are shown. Raises `ProviderFailed` when there is none."""
    headers = stream.response.headers
    request_id = headers.get("x-request-id", "")
    if "event-stream" not in headers.get("content-type", ""):  # from a server, or one between, that streams nothing
        stream.response.read()
        found = stream.response.json()
        answer = ImagesResponse.construct(**found) if isinstance(found, dict) else None
        return arrivals(call, answer, request_id, read)
    for event in stream:
        kind = str(getattr(event, "type", ""))
        if kind.endswith(".partial_image") and (jpeg := _preview(decoded(event))):
            watch.preview(jpeg)
        elif kind.endswith(".completed"):
            return _completed(event, call, request_id)
    raise refusals.cut_off(call, "the stream ended before the picture was there")


def _arrival(answer: Any, data: bytes, request_id: str, item: Any = None) -> Arrival:
    """A picture, with what an answer or an event says about it."""
    revised = getattr(item, "revised_prompt", None)
    return Arrival(
        data,
        request_id=request_id,
        revised_prompt=revised if isinstance(revised, str) else "",
        usage=counted(getattr(answer, "usage", None)),
        warnings=_warnings(answer),
    )


def _warnings(answer: Any) -> tuple[str, ...]:
    """What a Darkroom says that is not as it was asked for."""
    told = getattr(answer, "warnings", None)
    return tuple(one for one in told if isinstance(one, str)) if isinstance(told, list) else ()


def decoded(carrier: Any) -> bytes:
    """The file that an item or an event carries in base64; nothing when it carries none that can be read."""
    text = getattr(carrier, "b64_json", None)
    with suppress(ValueError):
        return base64.b64decode("".join(text.split()), validate=True) if isinstance(text, str) else b""
    return b""


def _completed(event: Any, call: Call, request_id: str) -> list[Arrival]:
    if not (data := decoded(event)):
        raise refusals.malformed(call, "the last event has no picture that can be read")
    return [_arrival(event, data, request_id)]


def _preview(data: bytes) -> bytes:
    """A small JPEG of a picture's file; nothing of one that cannot be read."""
    buffer = io.BytesIO()
    with suppress(Exception), Image.open(io.BytesIO(data)) as image:  # whatever Pillow raises: the picture is to come
        small = image.convert("RGB")
        small.thumbnail((MAX_SIDE, MAX_SIDE))
        small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _cutout(mask: Image.Image) -> Image.Image:
    """A mask as OpenAI has it: transparent where something is drawn anew. Nothing between, as nothing says what that
    would mean."""
    cutout = Image.new("RGBA", mask.size, "black")
    cutout.putalpha(ImageOps.invert(black_and_white(mask)))
    return cutout


def _file(name: str, image: Image.Image) -> tuple[str, bytes, str]:
    return f"{name}.png", encoded(image, "PNG"), "image/png"
