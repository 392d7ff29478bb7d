"""OpenAI's own package against a server that behaves as OpenAI's does."""

from __future__ import annotations

import base64
import io
import json
import threading
from dataclasses import replace
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast

import pytest
from PIL import Image

from pipeline.errors import (
    ContentRefused,
    DarkroomError,
    InvalidRequest,
    KeyMissing,
    ModelRetired,
    ProviderFailed,
    QuotaExceeded,
)
from pipeline.events import Asked as AskedAgain
from pipeline.events import Preview
from pipeline.gallery.files import pictures
from pipeline.gallery.verify import verify
from pipeline.hosted import retry
from pipeline.hosted.call import Arrival, Call
from pipeline.hosted.providers import openai as adapter
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Registry
from pipeline.request import GenerationRequest
from tests.conftest import free_port
from tests.hosted.conftest import HostedStudio, Told, call_of
from tests.hosted.provider_server import Answer, Asked, ProviderServer, picture

USAGE = {"input_tokens": 9, "output_tokens": 272, "total_tokens": 281, "input_tokens_details": {"text_tokens": 9}}
EVENTS = {"Content-Type": "text/event-stream", "x-request-id": "req_7"}
JSON = {"Content-Type": "application/json", "x-request-id": "req_7"}


def model(name: str = "gpt-image-2") -> HostedModel:
    found = Registry.read().find_any(f"openai/{name}")
    assert isinstance(found, HostedModel)
    return found


def call(server: ProviderServer, name: str = "gpt-image-2", **fields: Any) -> Call:
    return call_of(model(name), f"{server.url}/v1", **fields)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def images(*files: bytes) -> Answer:
    data = [{"b64_json": encoded(file)} for file in files]
    return Answer({"created": 1, "data": data, "usage": USAGE}, headers=JSON)


def stream(*events: dict[str, Any], **how: Any) -> Answer:
    body = "".join(f"event: {event.get('type', 'error')}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Answer(body.encode(), headers=EVENTS, **how)


def partial(data: bytes, number: int = 0) -> dict[str, Any]:
    return {"type": "image_generation.partial_image", "b64_json": encoded(data), "partial_image_index": number}


def completed(data: bytes, kind: str = "image_generation") -> dict[str, Any]:
    return {"type": f"{kind}.completed", "b64_json": encoded(data), "usage": USAGE}


def fault(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Answer:
    return Answer({"error": {"message": message, **error}}, status, JSON | (headers or {}))


def refused(told: Told, call: Call, kind: type[DarkroomError]) -> DarkroomError:
    with pytest.raises(kind) as caught:
        adapter.make(call, told.watch)
    assert caught.value.info.remedy
    assert "secret" not in caught.value.info.sentence
    return caught.value


def form(asked: Asked) -> dict[str, bytes]:
    """The parts of a multipart body by their names."""
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    parts = cast(EmailMessage, BytesParser().parsebytes(head + asked.body)).get_payload()
    named = [(part.get_param("name", header="content-disposition"), part) for part in cast(list[EmailMessage], parts)]
    return {str(name): cast(bytes, part.get_payload(decode=True)) for name, part in named}


# -- what is asked


def test_several_pictures_come_of_one_call(provider: ProviderServer, told: Told) -> None:
    files = [picture(color=color) for color in ("red", "green", "blue")]
    provider.answers(images(*files))
    arrived = adapter.make(call(provider, count=3, options={"quality": "low"}), told.watch)
    assert arrived == [Arrival(file, request_id="req_7", usage=counted()) for file in files]
    [asked] = provider.asked
    assert (asked.path, asked.headers["Authorization"]) == ("/v1/images/generations", "Bearer secret-1")
    assert asked.json == {
        "model": "gpt-image-2",
        "prompt": "a boat",
        "n": 3,
        "size": "1024x1024",
        "quality": "low",
        "background": "auto",
        "moderation": "auto",
        "output_format": "png",
    }


def counted() -> dict[str, int]:
    return {name: count for name, count in USAGE.items() if isinstance(count, int)}


def test_an_edit_sends_the_picture_and_a_mask_that_is_transparent_where_ours_is_white(
    provider: ProviderServer, told: Told
) -> None:
    provider.answers(stream(completed(picture(), "image_edit")))
    mask = Image.new("L", (64, 48), 0)
    mask.paste(255, (0, 0, 32, 48))
    mask.putpixel((40, 0), 100)  # darker than the middle: stays
    image = Image.new("RGB", (64, 48), "orange")
    adapter.make(call(provider, "gpt-image-1.5", image=image, mask=mask), told.watch)
    [asked] = provider.asked
    sent = form(asked)
    assert asked.path == "/v1/images/edits"
    assert Image.open(io.BytesIO(sent["image"])).tobytes() == image.tobytes()
    cutout = Image.open(io.BytesIO(sent["mask"]))
    assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (64, 48))
    alpha = cutout.getchannel("A")
    assert [alpha.getpixel((x, 0)) for x in (0, 31, 32, 40)] == [0, 0, 255, 255]
    assert (sent["model"], sent["input_fidelity"]) == (b"gpt-image-1.5", b"low")
    assert "moderation" not in sent


def test_a_single_picture_shows_how_it_develops(provider: ProviderServer, told: Told) -> None:
    final = picture(1024, 768, "navy")
    provider.answers(stream(partial(picture(1024, 768)), partial(b"garbage", 1), completed(final)))
    assert adapter.make(call(provider), told.watch) == [Arrival(final, request_id="req_7", usage=counted())]
    [preview] = [event for event in told.events if isinstance(event, Preview)]
    small = Image.open(io.BytesIO(preview.jpeg))
    assert (small.format, small.size) == ("JPEG", (512, 384))
    assert (provider.asked[0].json["stream"], provider.asked[0].json["partial_images"]) == (True, 2)


def test_a_picture_that_comes_at_once_instead_of_in_a_stream_is_not_lost(provider: ProviderServer, told: Told) -> None:
    provider.answers(images(picture()))
    assert adapter.make(call(provider), told.watch) == [Arrival(picture(), request_id="req_7", usage=counted())]


def test_a_revised_prompt_is_noted(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer({"created": 1, "data": [{"b64_json": encoded(picture()), "revised_prompt": "a ship"}]}))
    assert [one.revised_prompt for one in adapter.make(call(provider, count=2), told.watch)] == ["a ship"]


def test_a_slow_answer_is_waited_for(provider: ProviderServer, told: Told) -> None:
    held = threading.Event()
    provider.answers(replace(images(picture()), held_until=held))
    arrived: list[Arrival] = []
    thread = threading.Thread(target=lambda: arrived.extend(adapter.make(call(provider), told.watch)))
    thread.start()
    assert provider.arrived.acquire(timeout=60)
    assert not arrived
    held.set()
    thread.join()
    assert len(arrived) == 1


# -- what may be asked again


@pytest.mark.parametrize("headers", [{"retry-after": "0"}, {"retry-after-ms": "1"}])
def test_who_asks_too_often_asks_again_when_he_may(
    provider: ProviderServer, told: Told, headers: dict[str, str]
) -> None:
    busy = fault(429, "Rate limit reached", headers, code="rate_limit_exceeded")
    provider.answers(busy, stream(completed(picture())))
    assert len(adapter.make(call(provider), told.watch)) == 1
    assert [event.attempt for event in told.events if isinstance(event, AskedAgain)] == [2]
    assert len(provider.asked) == 2


@pytest.mark.parametrize("pause", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_pause_that_is_too_long_ends_it(provider: ProviderServer, told: Told, pause: str) -> None:
    provider.answers(fault(429, "Rate limit reached", {"retry-after": pause}))
    refused(told, call(provider), QuotaExceeded)
    assert len(provider.asked) == 1


@pytest.mark.parametrize("status", [500, 503])
def test_trouble_of_the_server_is_got_over(provider: ProviderServer, told: Told, status: int) -> None:
    provider.answers(Answer(b"<html>busy</html>", status, {"retry-after": "0"}), stream(completed(picture())))
    assert len(adapter.make(call(provider), told.watch)) == 1


def test_a_server_that_is_not_there_says_where_it_was_looked_for(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "ATTEMPTS", 1)
    host = f"127.0.0.1:{free_port()}"
    error = refused(told, call_of(model(), f"http://{host}/v1"), ProviderFailed)
    assert f"cannot be reached at {host}:" in error.info.message
    assert "twice" not in error.info.remedy


# -- what is never asked again

REFUSALS: list[tuple[Answer, type[DarkroomError], str]] = [
    (fault(401, "Incorrect API key provided: secret-1", code="invalid_api_key"), KeyMissing, "OPENAI_API_KEY"),
    (fault(403, "Not for secret-1"), KeyMissing, "OPENAI_API_KEY"),
    (fault(429, "You exceeded your quota", code="insufficient_quota"), QuotaExceeded, "exceeded your quota"),
    (fault(400, "Billing hard limit", code="billing_hard_limit_reached"), QuotaExceeded, "nothing left"),
    (fault(400, "By the safety system", code="moderation_blocked"), ContentRefused, "safety system"),
    (fault(400, "Policy", code="content_policy_violation"), ContentRefused, "Policy"),
    (fault(404, "No such model", code="model_not_found"), ModelRetired, "gpt-image-2"),
    (fault(422, "Not so"), InvalidRequest, "Not so"),
    (fault(503, "Never", {"x-should-retry": "false"}), ProviderFailed, "Never"),
    (fault(502, "A bad gateway"), ProviderFailed, "nothing was asked twice"),
    (fault(504, "A time-out between"), ProviderFailed, "nothing was asked twice"),
    (fault(524, "Another"), ProviderFailed, "nothing was asked twice"),
    (Answer(b"{ no json", headers=JSON), ProviderFailed, "no picture"),
    (Answer(b"<html>", headers={"Content-Type": "text/html"}), ProviderFailed, "no picture"),
    (Answer({"created": 1, "data": []}), ProviderFailed, "no picture"),
    (Answer({"created": 1, "data": [{"b64_json": "!"}]}), ProviderFailed, "no picture"),
    (Answer([]), ProviderFailed, "no picture"),  # type: ignore[arg-type]
    (replace(images(picture()), dropped=True), ProviderFailed, "nothing was asked twice"),
    (stream(partial(picture())), ProviderFailed, "nothing was asked twice"),
    (stream(partial(picture()), completed(picture()), dropped=True), ProviderFailed, "nothing was asked twice"),
    (stream(completed(b"") | {"b64_json": "!"}), ProviderFailed, "no picture"),
    (stream({"error": {"message": "Safety", "code": "moderation_blocked"}}), ContentRefused, "Safety"),
    (stream({"error": {"message": "Trouble"}}), ProviderFailed, "Trouble"),
    (Answer(b"event: x\ndata: { no json\n\n", headers=EVENTS), ProviderFailed, "no picture"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), REFUSALS)
def test_a_refusal_is_told_and_not_asked_for_twice(
    provider: ProviderServer, told: Told, answer: Answer, kind: type[DarkroomError], words: str
) -> None:
    provider.answers(answer)
    assert words in refused(told, call(provider), kind).info.sentence
    assert len(provider.asked) == 1


@pytest.mark.parametrize("answer", [replace(images(picture()), dropped=True), Answer(b"{ no json", headers=JSON)])
def test_so_it_is_with_several_pictures(provider: ProviderServer, told: Told, answer: Answer) -> None:
    provider.answers(answer)
    refused(told, call(provider, count=2), ProviderFailed)
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("name", "field"), [("size", "width"), ("quality", "options"), ("other", None)])
def test_a_fault_names_our_own_field(provider: ProviderServer, told: Told, name: str, field: str | None) -> None:
    provider.answers(fault(400, "wrong", param=name))
    assert refused(told, call(provider), InvalidRequest).info.field == field


def test_one_picture_that_cannot_be_read_does_not_cost_the_others(provider: ProviderServer, told: Told) -> None:
    broken = {"created": 1, "data": [{"b64_json": "!"}, {"b64_json": encoded(picture())}]}
    provider.answers(Answer(broken))
    assert [one.data for one in adapter.make(call(provider, count=2), told.watch)] == [picture()]


# -- records


def test_a_removed_model_names_its_replacement_before_anything_is_asked(hosted_studio: HostedStudio) -> None:
    with pytest.raises(ModelRetired, match=r"gpt-image-2\.5-sunburst"):
        hosted_studio.submit(GenerationRequest(prompt="a boat", model="gpt-image-1"))


def test_every_replacement_is_a_model_that_stays() -> None:
    known = {one.id: one for one in Registry.read().hosted}
    leaving = [one for one in known.values() if one.retires]
    assert leaving
    assert all(known[one.replacement].retires is None for one in leaving)


# -- to the gallery


def test_a_transparent_picture_is_saved_with_its_transparency(
    hosted_studio: HostedStudio, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    provider.answers(stream(completed(picture(64, 48, (200, 0, 0, 90), "RGBA"))))
    hosted_studio.generate("a boat", model="openai/gpt-image-2", options={"background": "transparent"})
    [path] = pictures(hosted_studio.settings.outputs)
    assert verify(path).state == "intact"
    with Image.open(path) as saved:
        assert saved.getpixel((0, 0)) == (200, 0, 0, 90)
