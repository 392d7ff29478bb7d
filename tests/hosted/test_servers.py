"""Servers of one's own choice: asked for their models, written down, and forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import BadSettings, DarkroomError, InvalidRequest, KeyMissing, NotFound, ProviderFailed
from pipeline.hosted import offers, servers
from pipeline.models.registry import Registry
from pipeline.models.sampling import GuidanceRange, StepRange
from pipeline.settings import Settings
from tests.conftest import free_port
from tests.hosted.conftest import HostedStudio
from tests.hosted.provider_server import Answer, Asked, ProviderServer

OWN = """# My own ones.
[[provider]]
id = "mine"
name = "Mine"
adapter = "compatible"
base_url = "http://127.0.0.1:9/v1"

[[model]]
id = "mine/one"
name = "One"
provider = "mine"
source = "one"
summary = "Made by hand."
prompt_characters = 100
size = { native = [512, 512], multiple = 8, min = 64, max = 1024 }
"""
TINY = {
    "kind": "checkpoint",
    "id": "acme/tiny",
    "name": "Tiny",
    "summary": "A small one.",
    "steps": {"default": 9, "min": 2, "max": 20},
    "guidance": {"default": 3.5, "min": 1, "max": 10},
    "size": {"native": [64, 64], "multiple": 16, "min": 32, "max": 128},
    "negative_prompt": True,
    "pipelines": {"text": "SomePipeline", "image": "OtherPipeline"},
    "licence": {"name": "MIT"},
}
THERE = {"kind": "hosted", "id": "acme/cloud", "name": "Cloud", "provider": "acme", "ready": True}
DARKROOM = {"default": {"id": "acme/tiny"}, "models": [TINY, THERE]}
SCHEDULERS = [{"name": "Euler", "label": "The first"}, {"name": "Heun", "label": "The second"}]


def offering(*ids: str, darkroom: bool = False) -> Callable[[Asked], Answer]:
    """A server with these models, which is a Darkroom or is not."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer({"object": "list", "data": [{"id": name, "object": "model"} for name in ids]})
        if not darkroom:
            return Answer({"error": {"message": "none"}}, 404)
        told = SCHEDULERS if asked.path == "/api/v1/models/acme/tiny/schedulers" else DARKROOM
        return Answer(json.dumps(told).encode())

    return answer


def refused(kind: type[DarkroomError], url: str, name: str = "", key_variable: str = "") -> DarkroomError:
    with pytest.raises(kind) as caught:
        servers.ask(url, name, key_variable)
    assert caught.value.info.remedy
    return caught.value


# -- asking


def test_a_server_is_known_by_its_host_and_its_models_take_any_size(provider: ProviderServer) -> None:
    provider.answers(offering("acme/some"))
    found, [model] = servers.ask(provider.url)
    assert found.base_url == f"{provider.url}/v1"
    assert found.id == provider.url.removeprefix("http://").replace(".", "-").replace(":", "-")
    assert (model.id, model.source) == (f"{found.id}/acme/some", "acme/some")
    assert (model.size, model.seed, model.negative_prompt, model.darkroom) == (offers.ANY_SIZE, True, False, False)


def test_a_darkroom_tells_what_its_models_take(provider: ProviderServer) -> None:
    provider.answers(offering("acme/tiny", darkroom=True))
    [model] = servers.ask(f"{provider.url}/v1/", "Upstairs").models
    assert (model.id, model.name, model.tasks) == ("upstairs/acme/tiny", "Tiny (Upstairs)", ("text", "image"))
    assert (model.size.native, model.size.multiple, model.size.max) == ((64, 64), 16, 128)
    assert (model.seed, model.negative_prompt, model.darkroom) == (True, True, True)
    assert model.steps == StepRange(default=9, min=2, max=20)
    assert model.guidance == GuidanceRange(default=3.5, min=1, max=10)
    assert model.schedulers == ("Euler", "Heun")


def test_of_a_model_that_nothing_is_told_of_neither_steps_nor_guidance_nor_schedulers_are_known(
    provider: ProviderServer,
) -> None:
    provider.answers(offering("acme/some", darkroom=True))
    [model] = servers.ask(provider.url).models
    assert (model.darkroom, model.steps, model.guidance, model.schedulers) == (False, None, None, ())


def test_what_a_darkroom_tells_is_written_down_as_it_is(provider: ProviderServer, tmp_path: Path) -> None:
    provider.answers(offering("acme/tiny", darkroom=True))
    found = servers.ask(provider.url, "Upstairs")
    servers.keep(tmp_path / "hosted.toml", found)
    known = Registry.read(own_hosted=tmp_path / "hosted.toml")
    assert [model for model in known.hosted if model.provider == "upstairs"] == found.models


def test_what_a_darkroom_has_from_a_provider_itself_is_not_taken_over(provider: ProviderServer) -> None:
    provider.answers(offering("acme/tiny", "acme/cloud", darkroom=True))
    assert [model.source for model in servers.ask(provider.url).models] == ["acme/tiny"]


def test_the_key_comes_from_the_variable_that_is_named(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answers(offering("one"))
    refused(KeyMissing, provider.url, key_variable="UPSTAIRS_KEY")
    assert not provider.asked
    monkeypatch.setenv("UPSTAIRS_KEY", "secret-1")
    found = servers.ask(provider.url, key_variable="UPSTAIRS_KEY").provider
    assert provider.asked[0].headers["Authorization"] == "Bearer secret-1"
    assert found.keys == (("UPSTAIRS_KEY",),)
    assert "secret-1" not in found.model_dump_json()


def test_a_server_that_asks_for_a_key_says_how_to_give_one(provider: ProviderServer) -> None:
    provider.answers(Answer({"error": {"message": "secret-1 is wrong"}}, 401))
    assert refused(KeyMissing, provider.url).info.field == "key_variable"


@pytest.mark.parametrize("url", ["", "darkroom", "file:///etc/passwd", "ftp://host", "http://", "http://host:port"])
def test_only_an_address_of_the_web_is_asked(url: str) -> None:
    assert refused(InvalidRequest, url).info.field == "url"


def test_a_key_in_an_address_is_not_written_down() -> None:
    assert "secret-1" not in refused(InvalidRequest, "http://me:secret-1@host").info.sentence


def test_a_key_instead_of_the_name_of_its_variable_is_not_told_on(provider: ProviderServer) -> None:
    assert "sk-1" not in refused(InvalidRequest, provider.url, key_variable="sk-1").info.sentence


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html>"), Answer({"detail": "none"}, 404), Answer({"data": []}), Answer({"data": [{"name": "one"}]})],
)
def test_a_server_of_another_kind_is_refused(provider: ProviderServer, answer: Answer) -> None:
    provider.answers(answer)
    assert refused(InvalidRequest, provider.url).info.field == "url"


def test_where_nothing_answers_that_is_said() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    assert address in refused(ProviderFailed, address).info.message


# -- writing down


def test_a_server_is_added_beside_what_stands_there_and_forgotten_without_a_trace(
    provider: ProviderServer, tmp_path: Path
) -> None:
    file = tmp_path / "hosted.toml"
    file.write_text(OWN)
    provider.answers(offering("one", "acme/tiny", darkroom=True))
    servers.keep(file, servers.ask(provider.url, "Upstairs"))
    known = Registry.read(own_hosted=file)
    assert {"upstairs/one", "upstairs/acme/tiny", "mine/one"} <= {model.id for model in known.hosted}
    assert file.read_text().startswith(OWN)
    servers.forget(file, "upstairs")
    assert file.read_text().rstrip() == OWN.rstrip()


def test_a_server_that_is_added_again_is_known_by_the_models_it_has_now(
    provider: ProviderServer, tmp_path: Path
) -> None:
    file = tmp_path / "hosted.toml"
    for name in ("old", "new"):
        provider.answers(offering(name))
        servers.keep(file, servers.ask(provider.url, "A"))
    own = [model.id for model in Registry.read(own_hosted=file).hosted if model.provider == "a"]
    assert own == ["a/new"]


@pytest.mark.parametrize("name", ["OpenAI", "Mine"])
def test_a_name_that_is_another_provider_s_is_refused(provider: ProviderServer, tmp_path: Path, name: str) -> None:
    file = tmp_path / "hosted.toml"
    file.write_text(OWN)
    provider.answers(offering("one"))
    with pytest.raises(InvalidRequest, match=name.lower()):
        servers.keep(file, servers.ask(provider.url, name))
    assert file.read_text() == OWN


def test_what_ships_with_darkroom_cannot_be_forgotten_nor_one_s_own_model_of_it(tmp_path: Path) -> None:
    file = tmp_path / "hosted.toml"
    own = OWN[OWN.index("[[model]]") :].replace('"mine"', '"openai"')
    file.write_text(own)
    with pytest.raises(NotFound):
        servers.forget(file, "openai")
    assert file.read_text() == own


def test_a_file_that_cannot_be_read_is_left_as_it_is(provider: ProviderServer, tmp_path: Path) -> None:
    file = tmp_path / "hosted.toml"
    file.write_text("[[model]]\nid = broken")
    provider.answers(offering("one"))
    with pytest.raises(BadSettings):
        servers.keep(file, servers.ask(provider.url))
    assert file.read_text() == "[[model]]\nid = broken"


# -- in a studio


def test_a_studio_offers_the_models_of_an_added_server_until_it_is_removed(
    hosted_studio: HostedStudio, provider: ProviderServer
) -> None:
    provider.answers(offering("one"))
    added = hosted_studio.hosted.add_server(provider.url, "Upstairs")
    model = hosted_studio.model("upstairs/one")
    assert model in hosted_studio.hosted.models
    assert hosted_studio.hosted.state(added).ready
    hosted_studio.hosted.remove_server("upstairs")
    assert model not in hosted_studio.hosted.models


def test_where_hosted_models_are_off_no_server_is_asked(
    make_settings: Callable[..., Settings], provider: ProviderServer
) -> None:
    with HostedStudio(make_settings(hosted="off")) as studio, pytest.raises(InvalidRequest, match="off"):
        studio.hosted.add_server(provider.url)
    assert not provider.asked
