"""ByteDance's Seedream on Ark by its own package, at a server of this machine."""

from __future__ import annotations

import base64
import io
import re
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
from pipeline.hosted.providers import ark
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import ROOT, Registry
from tests.hosted.conftest import HostedStudio, Told, call_of
from tests.hosted.provider_server import JSON, Answer, ProviderServer, picture

MODELS = {model.id: model for model in Registry.read().hosted}
MODEL, PRO = MODELS["bytedance/seedream-4.5"], MODELS["bytedance/seedream-5.0-pro"]


def answered(*items: dict[str, Any], **fields: Any) -> Answer:
    """What Ark answers."""
    usage = {"generated_images": len(items), "output_tokens": 16384, "total_tokens": 16384}
    return Answer({"model": MODEL.source, "created": 1, "data": list(items), "usage": usage}, **fields)


def drawn(file: bytes) -> dict[str, Any]:
    return {"b64_json": base64.b64encode(file).decode(), "size": "2048x2048"}


def refused(status: int, code: str, message: str, headers: dict[str, str] = JSON) -> Answer:
    return Answer({"error": {"code": code, "message": message, "param": "", "type": "BadRequest"}}, status, headers)


def asked(provider: ProviderServer, told: Told, model: HostedModel = MODEL, **fields: Any) -> DarkroomError:
    """What is raised for a call that is made once."""
    with pytest.raises(DarkroomError) as caught:
        ark.make(call_of(model, f"{provider.url}/api/v3", **fields), told.watch)
    assert "secret-1" not in caught.value.info.sentence
    assert len(provider.asked) == 1
    return caught.value


def test_a_picture_comes_with_what_ark_says_of_it(provider: ProviderServer, told: Told) -> None:
    file = picture()
    provider.answers(answered(drawn(file), headers=JSON | {"X-Client-Request-Id": "asked-1"}))
    [arrival] = ark.make(call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
    assert arrival.data == file
    assert (arrival.model, arrival.request_id) == (MODEL.source, "asked-1")
    assert arrival.usage == {"generated_images": 1, "output_tokens": 16384, "total_tokens": 16384}


def test_one_picture_without_a_watermark_is_asked_for_by_its_pixels(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(drawn(picture())))
    ark.make(call_of(MODEL, f"{provider.url}/api/v3", width=2560, height=1440), told.watch)
    [request] = provider.asked
    assert request.path == "/api/v3/images/generations"
    assert request.headers["Authorization"] == "Bearer secret-1"
    assert {name: value for name, value in request.json.items() if value is not None} == {
        "model": MODEL.source,
        "prompt": "a boat",
        "size": "2560x1440",
        "response_format": "b64_json",
        "watermark": False,
        "sequential_image_generation": "disabled",
    }


def test_a_model_with_several_formats_is_asked_for_png(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(drawn(picture())))
    ark.make(call_of(PRO, f"{provider.url}/api/v3"), told.watch)
    assert provider.asked[0].json["output_format"] == "png"


def test_a_picture_to_work_from_goes_along(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(drawn(picture())))
    image = Image.new("RGB", (64, 48), "navy")
    ark.make(call_of(MODEL, f"{provider.url}/api/v3", image=image), told.watch)
    head, _, data = provider.asked[0].json["image"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).tobytes() == image.tobytes()


def test_a_slow_answer_is_waited_for(provider: ProviderServer, told: Told) -> None:
    ready = threading.Event()
    provider.answers(answered(drawn(picture()), held_until=ready))
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(ark.make, call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
        provider.arrived.acquire()
        ready.set()
        assert made.result()[0].data == picture()
    assert len(provider.asked) == 1


def test_a_picture_that_comes_as_an_address_is_fetched(provider: ProviderServer, told: Told) -> None:
    file = picture()
    provider.answers(answered({"url": f"{provider.url}/file.png", "size": "2048x2048"}), Answer(file, headers={}))
    [arrival] = ark.make(call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
    assert arrival.data == file
    assert provider.asked[1].headers["Authorization"] is None


def test_variables_of_the_package_change_neither_address_nor_key(
    provider: ProviderServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARK_API_KEY", "ARK_BASE_URL", "VOLC_ACCESSKEY", "VOLC_SECRETKEY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    provider.answers(answered(drawn(picture())))
    assert ark.make(call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
    assert provider.asked[0].headers["Authorization"] == "Bearer secret-1"


def test_the_prompt_follows_nobody_elsewhere(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer(b"", 307, {"Location": f"{provider.url}/elsewhere"}))
    assert isinstance(asked(provider, told), ProviderFailed)


def test_too_many_calls_are_waited_out_for_as_long_as_ark_says(provider: ProviderServer, told: Told) -> None:
    often = refused(429, "ModelAccountIpmRateLimitExceeded", "Too many.", JSON | {"Retry-After": "0.01"})
    provider.answers(often, answered(drawn(picture())))
    assert ark.make(call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
    assert [event.attempt for event in told.events] == [2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccountOverdueError"), (429, "QuotaExceeded"), (429, "SetLimitExceeded")]
)
def test_an_account_without_money_is_asked_for_once(
    provider: ProviderServer, told: Told, status: int, code: str
) -> None:
    provider.answers(refused(status, code, "Your account has an overdue balance."))
    error = asked(provider, told)
    assert isinstance(error, QuotaExceeded)
    assert "overdue balance" in error.info.message


@pytest.mark.parametrize(("status", "code"), [(401, "AuthenticationError"), (403, "AccessDenied")])
def test_a_wrong_key_is_asked_with_once_and_not_told(
    provider: ProviderServer, told: Told, status: int, code: str
) -> None:
    provider.answers(refused(status, code, "The API key secret-1 is missing or invalid."))
    error = asked(provider, told)
    assert isinstance(error, KeyMissing)
    assert "ARK_API_KEY" in error.info.remedy


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "InputTextSensitiveContentDetected", "The input may contain sensitive information."),
        refused(400, "OutputImageSensitiveContentDetected", "The output may contain sensitive information."),
        answered(
            {"error": {"code": "OutputImageSensitiveContentDetected", "message": "May contain sensitive things."}}
        ),
    ],
    ids=["prompt", "picture", "picture in 200"],
)
def test_a_refusal_is_told_in_its_words(provider: ProviderServer, told: Told, answer: Answer) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, ContentRefused)
    assert "sensitive" in error.info.message


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>"),
        Answer(b"<html>", headers={"Content-Type": "text/html"}),
        Answer(b"[]"),
        Answer({"model": "m"}),
        answered(),
        answered({"b64_json": "?"}),
    ],
    ids=["not json", "a page", "a list", "no data", "no items", "not base64"],
)
def test_an_answer_without_a_picture_is_told_once(provider: ProviderServer, told: Told, answer: Answer) -> None:
    provider.answers(answer)
    error = asked(provider, told)
    assert isinstance(error, ProviderFailed)
    assert "no picture" in error.info.message


def test_a_picture_that_ark_failed_at_is_not_ordered_again(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered({"error": {"code": "InternalServiceError", "message": "It broke."}}))
    assert isinstance(asked(provider, told), ProviderFailed)


def test_what_ark_does_not_take_is_told(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(400, "InvalidParameter", "size must be at least 3686400 pixels."))
    error = asked(provider, told)
    assert isinstance(error, InvalidRequest)
    assert "3686400" in error.info.message


def test_a_model_that_the_account_has_to_open_says_where(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(404, "ModelNotOpen", "Please activate the model service in the Ark Console."))
    error = asked(provider, told)
    assert isinstance(error, InvalidRequest)
    assert "Ark Console" in error.info.message


def test_a_model_that_is_gone_is_told(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(404, "InvalidEndpointOrModel.NotFound", "It does not exist."))
    assert isinstance(asked(provider, told), ModelRetired)


def test_a_broken_connection_is_not_asked_again(provider: ProviderServer, told: Told) -> None:
    provider.answers(answered(drawn(picture()), dropped=True))
    error = asked(provider, told)
    assert isinstance(error, ProviderFailed)
    assert "nothing was asked twice" in error.info.remedy


def test_a_late_answer_is_not_asked_for_again(
    provider: ProviderServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ark, "TIMEOUT", 0.2)
    never = threading.Event()
    provider.answers(Answer({}, held_until=never))
    error = asked(provider, told)
    never.set()
    assert "ReadTimeout" in error.info.message


def test_a_gateway_that_gave_up_is_not_asked_again(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer(b"<html>504 Gateway Time-out</html>", 504, {"Content-Type": "text/html"}))
    assert "nothing was asked twice" in asked(provider, told).info.remedy


def test_a_busy_provider_is_asked_again(provider: ProviderServer, told: Told) -> None:
    provider.answers(refused(503, "InternalServiceError", "Try again."), answered(drawn(picture())))
    assert ark.make(call_of(MODEL, f"{provider.url}/api/v3"), told.watch)
    assert len(provider.asked) == 2


def test_where_nobody_listens_nothing_was_ordered_and_it_is_tried_again(told: Told) -> None:
    told.stop.set()  # what ends the first pause
    with pytest.raises(Stopped):
        ark.make(call_of(MODEL, "http://127.0.0.1:9/api/v3"), told.watch)


def test_a_model_of_ones_own_is_asked_by_the_name_in_its_record(
    provider: ProviderServer, told: Told, tmp_path: Path
) -> None:
    own = tmp_path / "hosted.toml"
    own.write_text(
        """
        [[model]]
        id = "bytedance/ours"
        name = "Our endpoint"
        provider = "bytedance"
        source = "ep-20261127-abcde"
        summary = "Seedream at an endpoint of ours."
        size = { native = [2048, 2048], multiple = 8, min = 256, max = 8192 }
        prompt_characters = 4000
        """,
        encoding="utf-8",
    )
    model = Registry.read(own_hosted=own).find_any("bytedance/ours")
    assert isinstance(model, HostedModel)
    provider.answers(answered(drawn(picture())))
    ark.make(call_of(model, f"{provider.url}/api/v3"), told.watch)
    assert provider.asked[0].json["model"] == "ep-20261127-abcde"


def test_a_provider_of_ones_own_has_its_key_under_a_name_of_ones_own(
    hosted_studio: HostedStudio, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/hosted.md").read_text(encoding="utf-8"), re.DOTALL)
    own = example.replace("https://ark.ap-southeast.bytepluses.com", provider.url)
    hosted_studio.settings.hosted_file.write_text(own, encoding="utf-8")
    monkeypatch.setenv("BYTEPLUS_API_KEY", "secret-1")
    provider.answers(answered(drawn(picture())))
    [image] = hosted_studio.generate("a boat", model="byteplus/mine")
    assert provider.asked[0].headers["Authorization"] == "Bearer secret-1"
    assert image.recipe.hosted is not None
    assert image.recipe.hosted.provider == "BytePlus"
