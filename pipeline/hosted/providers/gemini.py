"""Google's Gemini, by its official package: pictures from words, or from a picture and words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

import httpx2
from google import genai
from google.genai import errors, types
from google.genai.client import DebugConfig
from pydantic import ValidationError

from pipeline.errors import DarkroomError
from pipeline.hosted import refusals
from pipeline.hosted.call import Arrival, Call, Transient, Watch, counted
from pipeline.hosted.enclose import enclosed
from pipeline.hosted.retry import patiently

TIMEOUT = 300
"""Seconds in which the answer must come: large pictures take a minute or two."""
CONNECT = 15
"""Seconds in which a connection must come about."""
LARGEST = 7 * 2**20
"""Bytes of a picture to work from."""
API_VERSION = "v1beta"
"""Where `imageConfig` is documented; the package's own default is another one, and a variable can change it."""
REFUSALS = {
    "SAFETY": "its safety filter stopped it",
    "IMAGE_SAFETY": "its safety filter keeps the picture back",
    "PROHIBITED_CONTENT": "such content is prohibited",
    "IMAGE_PROHIBITED_CONTENT": "what the picture shows is prohibited",
    "BLOCKLIST": "a word in it is on a list of what is not allowed",
    "RECITATION": "it would repeat what is somebody else's",
    "IMAGE_RECITATION": "the picture would repeat one that exists",
    "SPII": "it would show personal data",
    "LANGUAGE": "the language of the prompt is not one that it reads",
    "STOP": "it answered in words only",
    "NO_IMAGE": "it drew nothing",
}
"""Why an answer holds no picture, where another prompt helps."""


def make(call: Call, watch: Watch) -> list[Arrival]:
    """As `Adapter.make`; one picture."""
    with httpx2.Client(event_hooks={"request": [_connect_soon]}) as http, _client(call, http) as client:
        answer = patiently(watch, lambda: _asked(client, call))
    image = next((part.inline_data.data for part in _parts(answer) if part.inline_data and part.inline_data.data), None)
    if image is None:
        raise _without_picture(call, answer)
    usage = counted(answer.usage_metadata)
    return [Arrival(image, answer.model_version or "", answer.response_id or "", usage=usage)]


def _client(call: Call, http: httpx2.Client) -> genai.Client:
    """A client that asks once, at the address of the call, and follows nobody who sends it elsewhere. What is named
    here is what variables would change otherwise: Google Cloud instead of this address, and calls recorded to files."""
    options = types.HttpOptions(
        base_url=call.base_url, api_version=API_VERSION, timeout=TIMEOUT * 1000, httpx_client=http
    )
    recording = DebugConfig(client_mode=None, replays_directory=None, replay_id=None)
    return genai.Client(enterprise=False, api_key=call.key, http_options=options, debug_config=recording)


def _connect_soon(request: httpx2.Request) -> None:
    """The package knows one time-out for everything; where nobody is, that need not be waited for."""
    request.extensions["timeout"]["connect"] = CONNECT


def _asked(client: genai.Client, call: Call) -> types.GenerateContentResponse:
    contents: list[types.PartUnionDict] = [call.request.prompt]
    if call.image is not None:
        data, kind = enclosed(call.image, LARGEST)
        contents.append(types.Part.from_bytes(data=data, mime_type=kind))
    with _explaining(call):
        return client.models.generate_content(model=call.model.source, contents=contents, config=_config(call))


@contextmanager
def _explaining(call: Call) -> Iterator[None]:
    """Raise what happens to a call as a `DarkroomError`, or as `Transient` where nothing can have come of it. What the
    package raises may quote the key, so it is not told on as the cause."""
    try:
        yield
    except errors.APIError as error:
        raise _explained(call, error) from None
    except (JSONDecodeError, ValidationError) as error:
        raise refusals.malformed(call, str(error)) from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise Transient(refusals.unreachable(call, refusals.named(error))) from None
    except (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.DecodingError) as error:
        raise refusals.cut_off(call, refusals.named(error)) from None


def _config(call: Call) -> types.GenerateContentConfig:
    """One request for one picture: without the second one that the package would send, and have charged, for an answer
    that is cut short."""
    ratio, resolution = call.model.size.nearest(*call.size)
    return types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"],
        image_config=types.ImageConfig(aspect_ratio=ratio or None, image_size=resolution or None),
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    """What was answered, without what was thought on the way, which can hold sketches."""
    content = answer.candidates[0].content if answer.candidates else None
    return [part for part in (content.parts if content else None) or [] if not part.thought]


def _without_picture(call: Call, answer: types.GenerateContentResponse) -> DarkroomError:
    """Why there is no picture in an answer, in Google's words where it has some."""
    candidate = answer.candidates[0] if answer.candidates else None
    if answer.prompt_feedback and answer.prompt_feedback.block_reason:
        reason = answer.prompt_feedback.block_reason.value
        said = answer.prompt_feedback.block_reason_message
        return refusals.content_refused(call, _reason(REFUSALS.get(reason, reason), said))
    reason = candidate.finish_reason.value if candidate and candidate.finish_reason else "no reason"
    said = (candidate and candidate.finish_message) or " ".join(part.text for part in _parts(answer) if part.text)
    if reason in REFUSALS:
        return refusals.content_refused(call, _reason(REFUSALS[reason], said))
    return refusals.malformed(call, _reason(reason, said))


def _reason(reason: str, said: str | None) -> str:
    return f"{reason}: {said}" if said else reason


def _explained(call: Call, error: errors.APIError) -> DarkroomError | Transient:
    """What Google's own error means."""
    said, details = error.message or error.status or f"HTTP {error.code}", _details(error)
    if error.code in (401, 403) or "API_KEY_INVALID" in [detail.get("reason") for detail in details]:
        return refusals.key_refused(call)
    if error.code == 404:
        return refusals.model_gone(call)
    if error.code == 429:
        return _limited(call, said, details)
    if error.code >= 500:  # such a call is not charged: https://ai.google.dev/gemini-api/docs/billing
        return Transient(refusals.busy(call, said))
    if error.code >= 400:
        return refusals.out_of_quota(call, said) if "billing" in said else refusals.not_taken(call, said)
    return refusals.failed(call, error)


def _limited(call: Call, said: str, details: list[dict[str, Any]]) -> DarkroomError | Transient:
    """Whether the account asks too often, which passes, or has used up what it may have. An error without details that
    speaks of billing is of the second kind; with the seconds to wait, all of them do."""
    quotas = [str(one.get("quotaId")) for detail in details for one in detail.get("violations", [])]
    delay = next((_seconds(detail["retryDelay"]) for detail in details if "retryDelay" in detail), None)
    if any("PerDay" in quota for quota in quotas) or (delay is None and not quotas and "billing" in said):
        return refusals.out_of_quota(call, said)
    return Transient(refusals.too_often(call, said), delay)


def _details(error: errors.APIError) -> list[dict[str, Any]]:
    """The machine's part of an error, where it has one."""
    told = error.details.get("error") if isinstance(error.details, dict) else None
    details = told.get("details") if isinstance(told, dict) else None
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _seconds(duration: str) -> float | None:
    """A duration such as `34.07s`."""
    try:
        return float(duration.removesuffix("s"))
    except ValueError:
        return None
