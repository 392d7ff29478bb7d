"""From a request to a saved picture, by way of a provider."""

from __future__ import annotations

import base64

import pytest

from pipeline.errors import KeyMissing
from pipeline.gallery.verify import verify
from pipeline.request import GenerationRequest
from tests.hosted.conftest import HostedStudio
from tests.hosted.provider_server import Answer, ProviderServer, picture

MODEL = "openai/gpt-image-2"


def images(*files: bytes) -> Answer:
    """What OpenAI answers."""
    return Answer({"created": 1, "data": [{"b64_json": base64.b64encode(file).decode()} for file in files]})


@pytest.fixture
def openai_here(provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> ProviderServer:
    """OpenAI, with a key."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    return provider


def test_a_hosted_picture_is_saved_with_its_recipe(hosted_studio: HostedStudio, openai_here: ProviderServer) -> None:
    openai_here.answers(images(picture(1024, 1024, "navy")))
    [image] = hosted_studio.generate("a boat", model=MODEL, options={"quality": "low"})
    assert image.path is not None
    assert verify(image.path).state == "intact"
    assert image.recipe.hosted is not None
    assert (image.recipe.hosted.provider, image.recipe.options["quality"]) == ("OpenAI", "low")
    assert openai_here.asked[0].json["quality"] == "low"


def test_without_a_key_nothing_is_asked(hosted_studio: HostedStudio, provider: ProviderServer) -> None:
    with pytest.raises(KeyMissing, match="OPENAI_API_KEY"):
        hosted_studio.submit(GenerationRequest(prompt="a boat", model=MODEL))
    assert not hosted_studio.jobs()


def test_a_key_is_nowhere_to_be_read(
    hosted_studio: HostedStudio, openai_here: ProviderServer, capfd: pytest.CaptureFixture[str]
) -> None:
    openai_here.answers(images(picture()))
    [image] = hosted_studio.generate("a boat", model=MODEL)
    assert openai_here.asked[0].headers["Authorization"] == "Bearer secret-key"
    told = image.recipe.model_dump_json() + repr(hosted_studio.job(image.job_id).state) + "".join(capfd.readouterr())
    assert "secret-key" not in told
    files = [file for file in hosted_studio.settings.outputs.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"secret-key" in file.read_bytes()]
