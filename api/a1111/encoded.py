"""Pictures as text: base64, with or without the head of a data URI; answers have it without."""

from __future__ import annotations

import base64
import binascii

from pipeline.errors import InvalidRequest


def decoded(text: str, field: str) -> bytes:
    """The file in `text`. Raises `InvalidRequest`, also for an address: nothing is fetched from elsewhere."""
    if text.startswith(("http://", "https://")):
        raise InvalidRequest(
            f"{field} is an address, and nothing is fetched here.", "Send the file itself.", field=field
        )
    head, comma, rest = text.partition(",")
    body = rest if comma and head.startswith("data:") else text
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{field} is not base64.", "Send a picture's file as base64.", field=field) from None
    if not data:
        raise InvalidRequest(f"{field} is empty.", "Send a picture's file as base64.", field=field)
    return data


def encoded(data: bytes) -> str:
    """`data` as base64, without a head."""
    return base64.b64encode(data).decode()
