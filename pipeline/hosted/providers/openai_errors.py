"""What OpenAI's package raises, as errors of ours: for OpenAI itself, and for servers that speak as it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx2
import openai

from pipeline.errors import DarkroomError
from pipeline.hosted import refusals
from pipeline.hosted.call import Call, Transient
from pipeline.hosted.retry import asked_pause

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""What the network client raises before a request leaves this machine."""
_TROUBLE = {500, 503}
"""Statuses of a server that could not do it, and says so; those of a gateway are not among them."""
_CODES: dict[str, Callable[[Call, str], DarkroomError]] = {
    "moderation_blocked": refusals.content_refused,
    "content_policy_violation": refusals.content_refused,
    "content_refused": refusals.content_refused,  # another Darkroom's
    "insufficient_quota": refusals.out_of_quota,
    "billing_hard_limit_reached": refusals.out_of_quota,
    "billing_not_active": refusals.out_of_quota,
    "model_not_found": lambda call, _: refusals.model_gone(call),
}
"""Codes that say more than the status does."""
_FIELDS = {"prompt": "prompt", "image": "image", "mask": "mask", "size": "width", "n": "num_images"}
"""OpenAI's names of our fields."""


@contextmanager
def explaining(call: Call) -> Iterator[None]:
    """Raise what happens to a call as a `DarkroomError`, or as `Transient` where nothing can have come of it. What the
    package raises may quote the key, so it is not told on as the cause."""
    try:
        yield
    except openai.APIError as error:
        raise _explained(call, error) from None
    except httpx2.RequestError as error:  # while an answer is read
        raise refusals.cut_off(call, refusals.named(error)) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise refusals.malformed(call, refusals.named(error)) from None


def _explained(call: Call, error: openai.APIError) -> DarkroomError | Transient:
    if isinstance(error, openai.APIConnectionError):
        return _unanswered(call, error)
    said = _said(error)
    if isinstance(error, openai.APIResponseValidationError):
        return refusals.malformed(call, said)
    if known := _CODES.get(error.code or "") or _CODES.get(error.type or ""):
        return known(call, said)
    if isinstance(error, openai.APIStatusError):
        return _by_status(call, error, said)
    return refusals.busy(call, said)  # in the middle of a stream


def _unanswered(call: Call, error: openai.APIConnectionError) -> DarkroomError | Transient:
    """No answer came: harmless only where nothing was sent."""
    cause = error.__cause__
    said = refusals.named(cause or error)
    if isinstance(cause, _NEVER_SENT):
        return Transient(refusals.unreachable(call, said))
    return refusals.cut_off(call, said)


def _by_status(call: Call, error: openai.APIStatusError, said: str) -> DarkroomError | Transient:
    status = error.status_code
    if status in {401, 403}:
        return refusals.key_refused(call)
    if status == 402:
        return refusals.out_of_quota(call, said)
    if status in {404, 410}:
        return refusals.model_gone(call)
    if status == 429:
        return _again(error, refusals.too_often(call, said))
    if status in _TROUBLE:
        return _again(error, refusals.busy(call, said))
    if status == 408 or status >= 500:  # somebody between gave up waiting: it may have been made
        return refusals.cut_off(call, said)
    return refusals.not_taken(call, said, _field(call, error.param))


def _again(error: openai.APIStatusError, refusal: DarkroomError) -> DarkroomError | Transient:
    """To be asked again, unless the server says that this is of no use, as another Darkroom does."""
    headers = error.response.headers
    return refusal if headers.get("x-should-retry") == "false" else Transient(refusal, asked_pause(headers))


def _said(error: openai.APIError) -> str:
    """The server's own words."""
    message = error.body.get("message") if isinstance(error.body, Mapping) else None
    return str(message or error.message)


def _field(call: Call, name: str | None) -> str | None:
    """The field of a request that a name of OpenAI's means."""
    return "options" if name in call.model.options else _FIELDS.get(name or "")
