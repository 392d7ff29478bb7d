"""OpenAI's own client, this studio between, and a provider behind it: nothing is ordered twice."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from api.shapes import openai as shaped
from pipeline.errors import KeyMissing, ModelRetired, ProviderFailed, QuotaExceeded
from pipeline.settings import Settings
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.hosted.as_openai import MODEL, images, refusal
from tests.hosted.conftest import HostedStudio
from tests.hosted.provider_server import Answer, ProviderServer, picture

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def client(make_settings: Callable[..., Settings]) -> Iterator[OpenAI]:
    """A client of a studio that makes nothing itself."""
    with (
        HostedStudio(make_settings()) as studio,
        served(app_of(studio)) as address,
        OpenAI(base_url=f"{address}/v1", api_key="none") as client,
    ):
        yield client


def extra(model: Any, name: str) -> Any:
    return (model.model_extra or {})[name]


def test_its_own_settings_reach_a_hosted_model_and_only_others_are_told(
    client: OpenAI, openai_server: ProviderServer
) -> None:
    openai_server.answers(images(picture(1024, 1024, (0, 0, 255, 90), "RGBA")))
    answer = client.images.generate(
        prompt="a boat",
        model=MODEL,
        quality="low",
        background="transparent",
        moderation="low",
        style="vivid",
        output_format="webp",
    )
    sent = openai_server.asked[0].json
    assert (sent["quality"], sent["background"], sent["moderation"]) == ("low", "transparent", "low")
    assert (answer.quality, answer.background) == ("low", "transparent")
    [item] = answer.data or []
    assert Image.open(io.BytesIO(base64.b64decode(item.b64_json or ""))).mode == "RGBA"
    told = extra(answer, "warnings")
    assert [sentence for sentence in told if "ignored" in sentence] == ["GPT Image 2 has no style; it is ignored."]
    assert any("is sent to OpenAI" in sentence for sentence in told)


def test_an_option_that_there_is_not_is_a_bad_request_and_nothing_is_ordered(
    client: OpenAI, openai_server: ProviderServer
) -> None:
    with pytest.raises(openai.BadRequestError, match="Choose one of auto, low"):
        client.images.generate(prompt="a boat", model=MODEL, quality="hd")
    assert openai_server.asked == []


def test_a_stream_of_a_hosted_model_ends_with_its_picture(client: OpenAI, openai_server: ProviderServer) -> None:
    openai_server.answers(images(picture(1024, 1024)))
    *_, last = client.images.generate(prompt="a boat", model=MODEL, quality="low", stream=True)
    assert (last.type, last.quality) == ("image_generation.completed", "low")


def test_hosted_models_are_listed_with_their_provider_once_they_can_be_asked(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MODEL not in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).owned_by == "openai"
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    owners = {model.id: model.owned_by for model in client.models.list()}
    assert owners[MODEL] == "openai"


def test_without_a_key_the_client_is_told_what_to_set_and_asks_once(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="OPENAI_API_KEY") as caught:
        client.images.generate(prompt="a boat", model=MODEL)
    assert (caught.value.status_code, caught.value.code) == (424, "key_missing")


@pytest.mark.parametrize(
    "answer", [Answer(b"{", 200), refusal(401, "invalid_api_key"), Answer(b"nonsense", 200, dropped=True)]
)
def test_what_a_provider_fails_at_is_ordered_once(
    client: OpenAI, openai_server: ProviderServer, answer: Answer
) -> None:
    openai_server.answers(answer)
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(prompt="a boat", model=MODEL)
    assert caught.value.status_code == 424
    assert len(openai_server.asked) == 1


@pytest.mark.parametrize("kind", [KeyMissing, QuotaExceeded, ProviderFailed, ModelRetired])
def test_no_status_about_a_provider_makes_a_client_ask_again(kind: Any) -> None:
    answer = shaped(503, kind("No.", "").info)
    assert answer.headers["x-should-retry"] == "false"
    assert answer.status_code in {404, 424}
