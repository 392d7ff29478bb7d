"""Edits come as a form: files, numbers as text, and structures as JSON or in brackets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.access import in_thread
from api.openai.wish import Wish, told_as
from pipeline.errors import InvalidRequest
from pipeline.pictures.desk import Source, Taken
from pipeline.request import invalid_request
from pipeline.studio import Studio

MAX_FILES = 20
"""In one form: a few more than are of use, which are refused in a sentence."""
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "prompt"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "Also named `image[]`."},
                        "mask": {
                            "type": "string",
                            "format": "binary",
                            "description": "A PNG of the image's size, transparent where it is drawn anew.",
                        },
                        "prompt": {"type": "string"},
                    },
                    "additionalProperties": {
                        "type": "string",
                        "description": "Each field of a generation, as text; what is no text or number as JSON.",
                    },
                }
            }
        },
    }
}
"""How the form is described."""
_STRUCTURED = {"loras", "outpaint", "controls", "upscale", "then", "component_quantization"}
_IN_BRACKETS = re.compile(r"(\w+)\[(\w+)\]")


async def read(request: Request, studio: Studio) -> tuple[Wish, tuple[str, ...]]:
    """The wish of a form, whose pictures are taken in, and a sentence for each thing that was done to its image.

    Raises `InvalidRequest`, also for pictures that are of no use.
    """
    async with request.form(max_files=MAX_FILES) as form:
        files = {name: [await one.read() for one in found] for name, found in _files(form).items()}
        fields = _fields(form) | dict.fromkeys(files, "a file")
    image = await in_thread(_take, studio.desk.take, "image", files)
    fields["image"] = image.id
    if "mask" in files:
        fields["mask"] = (await in_thread(_take, studio.desk.take_cutout, "mask", files)).id
    try:
        return Wish.model_validate(fields), image.notes
    except ValidationError as error:
        raise invalid_request(error) from None


def _files(form: FormData) -> dict[str, list[UploadFile]]:
    """The files under each name; clients write `image[]` where they send a list."""
    found: dict[str, list[UploadFile]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            found.setdefault(name.removesuffix("[]"), []).append(value)
    return found


def _fields(form: FormData) -> dict[str, Any]:
    """Everything else. `outpaint[left]=64`, which clients make of an object, is as good as `outpaint={"left": 64}`."""
    found: dict[str, Any] = {}
    nested: dict[str, dict[str, str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            continue
        if inside := _IN_BRACKETS.fullmatch(name):
            nested.setdefault(inside[1], {})[inside[2]] = value
        else:
            found[name] = _structure(value) if name in _STRUCTURED else value
    return found | nested


def _structure(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _take(take: Callable[[Source], Taken], name: str, files: dict[str, list[bytes]]) -> Taken:
    found = files.get(name, [])
    if not found:
        remedy = f"Send a form (multipart/form-data) with the picture to edit as the file “{name}”."
        raise InvalidRequest("There is no picture to edit.", remedy, field=name)
    if len(found) > 1:
        message = f"{len(found)} pictures were sent as {name}, and Darkroom works from one."
        raise InvalidRequest(message, "Send one at a time.", field=name)
    with told_as({"file": name}):
        return take(found[0])
