"""ByteDance's Seedream on Ark, by its official package: pictures from words, or from a picture and words."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from typing import Any

import httpx
from volcenginesdkarkruntime import Ark
from volcenginesdkarkruntime._exceptions import ArkAPIConnectionError, ArkAPIStatusError
from volcenginesdkarkruntime.types.images import ImagesResponse

from pipeline.errors import DarkroomError
from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Transient, Watch, counted
from pipeline.hosted.enclose import data_uri
from pipeline.hosted.providers.download import fetched
from pipeline.hosted.retry import asked_pause, patiently

TIMEOUT = httpx.Timeout(300.0, connect=15.0)
"""Seconds in which the answer must come, and a connection."""
LARGEST = 10 * 2**20
"""Bytes of a picture to work from."""
# Parts of Ark's codes: https://www.volcengine.com/docs/82379/1299023
FORBIDDEN = ("SensitiveContent", "RiskDetection", "ContentSecurity")
USED_UP = ("QuotaExceeded", "SetLimitExceeded", "Overdue")
NOT_OPEN = ("ModelNotOpen", "ServiceNotOpen")
"""The account has to open the model first, on a page that Ark names."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`; one picture."""
    with _client(call) as client:
        answer = patiently(watch, lambda: _asked(client, call))
    items = answer.data if isinstance(answer, ImagesResponse) and isinstance(answer.data, list) else []
    data = _file(call, items[0] if items else None)
    return [Arrival(data, answer.model or "", answer._request_id or "", usage=counted(answer.usage))]


def _client(call: Call) -> Ark:
    """A client that asks once, and follows nobody who sends the prompt elsewhere, as its own HTTP client would."""
    http = httpx.Client()
    return Ark(api_key=call.key, base_url=call.base_url, max_retries=0, timeout=TIMEOUT, http_client=http)


def _asked(client: Ark, call: Call) -> Any:
    width, height = call.size
    with _explaining(call):
        return client.images.generate(
            model=call.model.source,
            prompt=call.request.prompt,
            image=data_uri(call.image, LARGEST) if call.image else None,
            size=f"{width}x{height}",
            response_format="b64_json",
            watermark=False,
            sequential_image_generation="disabled",
            **call.options,
        )


def _file(call: Call, item: Any) -> bytes:
    """The picture that an item of an answer holds, or that its address leads to. Raises what its error says."""
    error = getattr(item, "error", None)
    if isinstance(error, dict):
        code, said = str(error.get("code")), str(error.get("message"))
        raise _by_code(call, code, said) or refusals.busy(call, said)
    url, text = getattr(item, "url", None), getattr(item, "b64_json", None)
    with suppress(ValueError):
        if data := base64.b64decode(text, validate=True) if isinstance(text, str) else b"":
            return data
    if isinstance(url, str) and url:
        return fetched(call, url)
    raise refusals.malformed(call, "there is no picture in the answer")


@contextmanager
def _explaining(call: Call) -> Iterator[None]:
    """Raise what happens to a call as a `DarkroomError`, or as `Transient` where nothing can have come of it. What the
    package raises may quote the key, so it is not told on as the cause."""
    try:
        yield
    except ArkAPIStatusError as error:
        raise _explained(call, error) from None
    except ArkAPIConnectionError as error:
        raise _unanswered(call, error.__cause__ or error) from None
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise refusals.malformed(call, refusals.named(error)) from None


def _unanswered(call: Call, cause: BaseException) -> DarkroomError | Transient:
    """No answer came: harmless only where nothing was sent."""
    if isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
        return Transient(refusals.unreachable(call, refusals.named(cause)))
    return refusals.cut_off(call, refusals.named(cause))


def _explained(call: Call, error: ArkAPIStatusError) -> DarkroomError | Transient:
    """What Ark's own error means; one without a code is of somebody between, who cannot say what has become of it."""
    body = error.body if isinstance(error.body, dict) else {}
    code, said, status = str(error.code or ""), str(body.get("message") or error.message), error.status_code
    if known := _by_code(call, code, said):
        return known
    if status in {401, 403}:
        return refusals.key_refused(call)
    if status == 404:
        return refusals.model_gone(call)
    if status == 429:
        return Transient(refusals.too_often(call, said), asked_pause(error.response.headers))
    if status >= 500:
        return Transient(refusals.busy(call, said)) if code else refusals.cut_off(call, said)
    return refusals.not_taken(call, said) if status >= 400 else refusals.malformed(call, said)


def _by_code(call: Call, code: str, said: str) -> DarkroomError | None:
    """What a code means that says more than the status does."""
    if any(part in code for part in FORBIDDEN):
        return refusals.content_refused(call, said)
    if any(part in code for part in USED_UP):
        return refusals.out_of_quota(call, said)
    if any(part in code for part in NOT_OPEN):
        return refusals.not_taken(call, said, "model")
    return None
