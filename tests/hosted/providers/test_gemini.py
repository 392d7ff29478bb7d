"""Google's Gemini by its own package, at a server of this machine."""

from __future__ import annotations

import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
from pipeline.hosted.call import Stopped
from pipeline.hosted.providers import gemini
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Registry
from tests.hosted.conftest import HostedStudio, Told, call_of
from tests.hosted.provider_server import Answer, ProviderServer, picture

MODEL = next(model for model in Registry.read().hosted if model.id == "google/gemini-nano-banana-2.1")
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 1120, "totalTokenCount": 1127}


def answered(*parts: dict[str, Any], reason: str = "STOP") -> Answer:
    """What Google answers."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason, "index": 0}
    body = {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "nano-2.1-001", "responseId": "answer-1"}
    return Answer(body)


def shown(file: bytes, **fields: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(file).decode()}, **fields}


def refused(code: int, status: str, message: str, *details: dict[str, Any]) -> Answer:
    return Answer({"error": {"code": code, "message": message, "status": status, "details": list(details)}}, code)


def violated(quota: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}


def wait_for(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def asked(provider: ProviderServer, told: Told, model: HostedModel = MODEL, **fields: Any) -> DarkroomError:
    """What is raised for a call."""
    with pytest.raises(DarkroomError) as caught:
        gemini.make(call_of(model, provider.url, **fields), told.watch)
    assert "secret-1" not in caught.value.info.sentence
    return caught.value


def test_a_picture_comes_with_what_google_says_of_it(provider: ProviderServer, told: Told) -> None:
    file = picture()
    provider.answers(answered({"text": "Here you are."}, shown(file)))
    [arrival] = gemini.make(call_of(MODEL, provider.url), told.watch)
    assert arrival.data == file
    assert (arrival.model, arrival.request_id) == ("nano-2.1-001", "answer-1")
    assert arrival.usage == {"prompt_token_count": 7, "candidates_token_count": 1120, "total_token_count": 1127}


def test_the_prompt_the_ratio_and_the_resolution_are_asked_for(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(shown(picture())))
    gemini.make(call_of(MODEL, provider.url, width=2560, height=1440), told.watch)
    [request] = provider.asked
    assert request.path == "/v1beta/models/gemini-nano-banana-2.1:generateContent"
    assert request.headers["x-goog-api-key"] == "secret-1"
    assert request.json["contents"] == [{"role": "user", "parts": [{"text": "a boat"}]}]
    assert request.json["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
    }


def test_a_picture_to_work_from_stands_beside_the_prompt(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(shown(picture())))
    image = Image.new("RGB", (64, 48), "navy")
    gemini.make(call_of(MODEL, provider.url, image=image), told.watch)
    prompt, part = provider.asked[0].json["contents"][0]["parts"]
    assert prompt == {"text": "a boat"}
    assert part["inlineData"]["mime_type"] == "image/png"
    sent = Image.open(io.BytesIO(base64.urlsafe_b64decode(part["inlineData"]["data"])))
    assert sent.tobytes() == image.tobytes()


def test_a_sketch_that_was_only_thought_is_not_the_picture(provider: ProviderServer, told: Told) -> None:
    file = picture(color="navy")
    provider.answers(answered(shown(picture(color="red"), thought=True), shown(file)))
    [arrival] = gemini.make(call_of(MODEL, provider.url), told.watch)
    assert arrival.data == file


def test_a_slow_answer_is_waited_for(provider: ProviderServer, told: Told) -> None:
    drawn = threading.Event()
    file = picture()
    provider.answers(Answer(answered(shown(file)).body, held_until=drawn))
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(gemini.make, call_of(MODEL, provider.url), told.watch)
        provider.arrived.acquire()
        drawn.set()
        assert made.result()[0].data == file
    assert len(provider.asked) == 1


def test_variables_of_the_package_send_the_prompt_nowhere_else(
    provider: ProviderServer, told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = "http://127.0.0.1:9"
    variables = {
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_CLOUD_PROJECT": "somebody",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_VERTEX_BASE_URL": elsewhere,
        "GOOGLE_GEMINI_BASE_URL": elsewhere,
        "GOOGLE_GENAI_API_VERSION": "v9",
        "GOOGLE_GENAI_HTTP_CLIENT": "httpx2",
        "GOOGLE_API_KEY": "another",
        "GEMINI_API_KEY": "another",
        "GOOGLE_API_USE_MTLS_ENDPOINT": "always",
        "GOOGLE_GENAI_CLIENT_MODE": "record",
        "GOOGLE_GENAI_REPLAYS_DIRECTORY": str(tmp_path),
        "GOOGLE_GENAI_REPLAY_ID": "prompt",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider.answers(answered(shown(picture())))
    gemini.make(call_of(MODEL, provider.url), told.watch)
    [request] = provider.asked
    assert request.path.startswith("/v1beta/models/")
    assert request.headers["x-goog-api-key"] == "secret-1"
    assert not list(tmp_path.iterdir())


def test_the_prompt_follows_nobody_elsewhere(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer(b"", 307, {"Location": f"{provider.url}/elsewhere"}))
    assert isinstance(asked(provider, told), ProviderFailed)
    assert len(provider.asked) == 1


def test_an_answer_that_is_cut_short_is_not_continued_at_a_price(provider: ProviderServer, told: Told) -> None:
    cut = answered({"text": "One moment"}, reason="CONTINUATION")
    assert isinstance(cut.body, dict)
    cut.body["candidates"][0]["continuationToken"] = base64.b64encode(b"more").decode()
    provider.answers(cut)
    assert isinstance(asked(provider, told), ProviderFailed)
    assert len(provider.asked) == 1


def test_too_many_calls_are_waited_out_for_as_long_as_google_says(provider: ProviderServer, told: Told) -> None:
    often = refused(429, "RESOURCE_EXHAUSTED", "Check your billing.", violated("RequestsPerMinute"), wait_for("0.01s"))
    provider.answers(often, answered(shown(picture())))
    assert gemini.make(call_of(MODEL, provider.url), told.watch)
    assert [event.attempt for event in told.events] == [2]  # type: ignore[attr-defined]


def test_a_pause_that_is_too_long_is_told_instead_of_waited(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(429, "RESOURCE_EXHAUSTED", "Slow down.", wait_for("3600s")))
    error = asked(provider, told)
    assert isinstance(error, QuotaExceeded)
    assert "Wait a while" in error.info.remedy
    assert len(provider.asked) == 1


EXCEEDED = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    "answer",
    [
        refused(429, "RESOURCE_EXHAUSTED", EXCEEDED, violated("RequestsPerDayPerProject-FreeTier"), wait_for("0.01s")),
        refused(429, "RESOURCE_EXHAUSTED", EXCEEDED, {"@type": "type.googleapis.com/google.rpc.Help", "links": []}),
        refused(400, "FAILED_PRECONDITION", "Please enable billing on your project."),
    ],
    ids=["today", "account", "none"],
)
def test_a_quota_that_is_used_up_is_asked_for_once(provider: ProviderServer, told: Told, answer: Answer) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, QuotaExceeded)
    assert "account at Google" in error.info.message
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "INVALID_ARGUMENT", "API key secret-1 not valid.", {"reason": "API_KEY_INVALID"}),
        refused(401, "UNAUTHENTICATED", "secret-1 is no key."),
        refused(403, "PERMISSION_DENIED", "secret-1 was reported as leaked."),
    ],
    ids=["invalid", "none", "leaked"],
)
def test_a_wrong_key_is_asked_with_once_and_not_told(provider: ProviderServer, told: Told, answer: Answer) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, KeyMissing)
    assert "GOOGLE_API_KEY" in error.info.remedy
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), "such content is prohibited"),
        (Answer({"promptFeedback": {"blockReason": "OTHER"}}), "OTHER"),
        (answered(reason="IMAGE_SAFETY"), "keeps the picture back"),
        (answered({"text": "I cannot draw her."}, reason="SAFETY"), "safety filter stopped it: I cannot draw her."),
        (answered({"text": "Which boat do you mean?"}), "in words only: Which boat do you mean?"),
        (answered(reason="NO_IMAGE"), "drew nothing"),
    ],
    ids=["prompt", "other", "picture", "explained", "words", "nothing"],
)
def test_a_refusal_says_why_in_words(provider: ProviderServer, told: Told, answer: Answer, words: str) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, ContentRefused)
    assert words in error.info.message
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>"), "no picture"),
        (Answer({"candidates": "none"}), "no picture"),
        (Answer({}), "no reason"),
        (answered(reason="MAX_TOKENS"), "MAX_TOKENS"),
        (answered(reason="SOMETHING_NEW"), "SOMETHING_NEW"),
    ],
    ids=["not json", "another shape", "empty", "too long", "unknown"],
)
@pytest.mark.filterwarnings("ignore:SOMETHING_NEW is not a valid FinishReason")
def test_an_answer_that_cannot_be_read_is_told_once(
    provider: ProviderServer, told: Told, answer: Answer, words: str
) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, ProviderFailed)
    assert words in error.info.message
    assert len(provider.asked) == 1


def test_what_google_does_not_take_is_told(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(400, "INVALID_ARGUMENT", "Aspect ratio 9:21 is not supported."))
    error = asked(provider, told)
    assert isinstance(error, InvalidRequest)
    assert "9:21" in error.info.message


def test_a_broken_connection_is_not_asked_again(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer(answered(shown(picture())).body, dropped=True))
    error = asked(provider, told)
    assert isinstance(error, ProviderFailed)
    assert "nothing was asked twice" in error.info.remedy
    assert len(provider.asked) == 1


def test_a_late_answer_is_not_asked_for_again(
    provider: ProviderServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini, "TIMEOUT", 0.2)
    never = threading.Event()
    provider.answers(Answer({}, held_until=never))
    error = asked(provider, told)
    never.set()
    assert "ReadTimeout" in error.info.message
    assert len(provider.asked) == 1


@pytest.mark.parametrize(("code", "status"), [(500, "INTERNAL"), (503, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED")])
def test_a_busy_provider_is_asked_again(provider: ProviderServer, told: Told, code: int, status: str) -> None:
    provider.answers(refused(code, status, "The model is overloaded."), answered(shown(picture())))
    assert gemini.make(call_of(MODEL, provider.url), told.watch)
    assert len(provider.asked) == 2


def test_where_nobody_listens_nothing_was_ordered_and_it_is_tried_again(told: Told) -> None:
    told.stop.set()  # what ends the first pause
    with pytest.raises(Stopped):
        gemini.make(call_of(MODEL, "http://127.0.0.1:9"), told.watch)


def test_a_model_that_is_gone_names_its_replacement(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(404, "NOT_FOUND", "models/gemini-2.5-flash-image is not found."))
    gone = next(model for model in Registry.read().hosted if model.id == "google/gemini-2.5-flash-image")
    error = asked(provider, told, gone)
    assert isinstance(error, ModelRetired)
    assert "google/gemini-nano-banana-2.1" in error.info.remedy
    assert len(provider.asked) == 1


def test_a_photograph_keeps_its_shape_on_the_way_to_the_gallery(
    hosted_studio: HostedStudio, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", provider.url)
    monkeypatch.setenv("GEMINI_API_KEY", "secret-2")
    provider.answers(answered(shown(picture(1376, 768))))
    [image] = hosted_studio.generate(
        "at night", model="gemini-nano-banana-2.1", image=Image.new("RGB", (1600, 900), "navy")
    )
    assert provider.asked[0].headers["x-goog-api-key"] == "secret-2"
    assert provider.asked[0].json["generationConfig"]["imageConfig"]["aspectRatio"] == "16:9"
    assert (image.recipe.width, image.recipe.height) == (1376, 768)
    assert image.recipe.hosted is not None
    assert image.recipe.hosted.model == "nano-2.1-001"
