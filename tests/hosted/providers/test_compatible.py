"""Servers that speak as OpenAI does: one that stands for any of them, and a real Darkroom."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import InvalidRequest, ModelRetired, ProviderFailed
from pipeline.events import Preview, Warned
from pipeline.hosted import offers, servers
from pipeline.hosted.call import Call
from pipeline.hosted.providers import compatible as adapter
from pipeline.models.hosted import HostedModel, Provider
from pipeline.request import parse_request
from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.hosted.conftest import HostedStudio, Told
from tests.hosted.provider_server import Answer, ProviderServer, picture


def call(server: ProviderServer, key: str = "", changes: dict[str, Any] | None = None, **fields: Any) -> Call:
    """A call of a server of which nothing more is known than its list of models."""
    provider = Provider(id="here", name="Here", adapter="compatible", base_url=f"{server.url}/v1")
    model = HostedModel(
        id="here/some",
        name="Some",
        provider="here",
        source="acme/some",
        summary="One.",
        tasks=offers.TASKS,
        size=offers.ANY_SIZE,
        prompt_characters=4000,
        seed=True,
    ).model_copy(update=changes or {})
    image = fields.pop("image", None)
    request = parse_request(**{"prompt": "a boat", "seed": 7, "width": 64, "height": 64} | fields)
    keys = {"SOME_KEY": key} if key else {}
    return Call(model, provider, provider.base_url, keys, request, image=image)


def images(*items: dict[str, str]) -> Answer:
    return Answer({"created": 1, "data": list(items)})


def inline(file: bytes) -> dict[str, str]:
    return {"b64_json": base64.b64encode(file).decode()}


def test_the_seed_goes_along_and_nothing_that_was_not_asked_for(provider: ProviderServer, told: Told) -> None:
    provider.answers(images(inline(picture())))
    [arrived] = adapter.make(call(provider, negative_prompt="fog", num_inference_steps=9), told.watch)
    assert arrived.data == picture()
    assert provider.asked[0].json == {
        "model": "acme/some",
        "prompt": "a boat",
        "n": 1,
        "size": "64x64",
        "response_format": "b64_json",
        "seed": 7,
    }


def test_a_darkroom_is_told_what_it_takes_beside(provider: ProviderServer, told: Told) -> None:
    provider.answers(images(inline(picture())))
    takes = {"darkroom": True, "negative_prompt": True}
    given = {"negative_prompt": "fog", "num_inference_steps": 9, "guidance_scale": 0.0, "scheduler": "Heun"}
    adapter.make(call(provider, changes=takes, **given), told.watch)
    assert given.items() <= provider.asked[0].json.items()


def test_what_a_darkroom_warns_of_is_told_here(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer({"created": 1, "data": [inline(picture())], "warnings": ["Fog is ignored.", 7]}))
    adapter.make(call(provider, changes={"darkroom": True}), told.watch)
    assert [event.message for event in told.events if isinstance(event, Warned)] == ["Here: Fog is ignored."]


def test_a_picture_that_is_given_by_its_address_is_fetched(provider: ProviderServer, told: Told) -> None:
    file = Answer(picture(), headers={"Content-Type": "image/png"})
    provider.answers(images({"url": f"{provider.url}/file.png"}), file)
    [arrived] = adapter.make(call(provider, key="secret-1"), told.watch)
    assert arrived.data == picture()
    assert "Authorization" not in provider.asked[1].headers


def test_an_address_of_another_kind_is_not_followed(provider: ProviderServer, told: Told, tmp_path: Path) -> None:
    (tmp_path / "own.png").write_bytes(picture())
    provider.answers(images({"url": (tmp_path / "own.png").as_uri()}))
    with pytest.raises(ProviderFailed):
        adapter.make(call(provider), told.watch)


@pytest.mark.parametrize(("key", "sent"), [("secret-1", "Bearer secret-1"), ("", "Bearer none")])
def test_only_its_own_key_is_sent_and_nothing_of_openai_s(
    provider: ProviderServer, told: Told, monkeypatch: pytest.MonkeyPatch, key: str, sent: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("OPENAI_ORG_ID", "our-organization")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "our-project")
    provider.answers(images(inline(picture())))
    adapter.make(call(provider, key), told.watch)
    headers = provider.asked[0].headers
    assert headers["Authorization"] == sent
    assert not [value for value in headers.values() if "our-" in value or "other" in value]


def test_a_refusal_is_told_as_one_of_openai_s_is(provider: ProviderServer, told: Told) -> None:
    provider.answers(Answer({"error": {"message": "Too small", "param": "size"}}, 400))
    with pytest.raises(InvalidRequest, match="Too small") as caught:
        adapter.make(call(provider), told.watch)
    assert caught.value.info.field == "width"


# -- another Darkroom


@pytest.fixture(scope="module")
def darkroom(shared_studio: Studio) -> Iterator[str]:
    with served(app_of(shared_studio)) as address:
        yield address


@pytest.fixture
def here(hosted_studio: HostedStudio, darkroom: str) -> HostedStudio:
    """A studio without workers that knows the other one as `other`."""
    hosted_studio.hosted.add_server(darkroom, "Other")
    return hosted_studio


def test_the_same_seed_makes_the_same_picture_there_as_directly(here: HostedStudio, shared_studio: Studio) -> None:
    wish: dict[str, Any] = {"seed": 7, "num_inference_steps": 2, "guidance_scale": 2.0, "negative_prompt": "fog"}
    wish["scheduler"] = "FlowMatchHeunDiscreteScheduler"
    own = shared_studio.generate("a mill", model="tiny", num_images=2, **wish)
    sent = here.generate("a mill", model="other/tiny", num_images=2, **wish)
    assert [one.recipe.sha256 for one in sent] == [one.recipe.sha256 for one in own]
    assert [one.seed for one in sent] == [7, 8]
    assert sent[0].recipe.sha256 != sent[1].recipe.sha256

    recipe = sent[0].recipe
    assert (recipe.num_inference_steps, recipe.guidance_scale, recipe.hosted and recipe.hosted.seeded) == (2, 2.0, True)
    assert recipe.scheduler == wish["scheduler"]
    [again] = here.submit(recipe.to_request()).result()
    assert again.recipe.sha256 == recipe.sha256


def test_a_picture_and_its_mask_mean_the_same_there(here: HostedStudio, shared_studio: Studio) -> None:
    image = Image.radial_gradient("L").resize((64, 64)).convert("RGB")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    wish: dict[str, Any] = {"seed": 7, "num_inference_steps": 2, "image": image, "mask": mask, "strength": 1.0}
    hard, soft = ({**wish, "mask_feather": feather} for feather in (0, 6))
    [own] = shared_studio.generate("a mill", model="tiny", **soft)
    [sent] = here.generate("a mill", model="other/tiny", **soft)
    assert sent.recipe.sha256 == own.recipe.sha256
    assert sent.recipe.to_request().mask_feather == 6
    [other] = here.generate("a mill", model="other/tiny", **hard)
    assert other.recipe.sha256 != sent.recipe.sha256


def test_guidance_that_is_off_is_off_again_when_the_picture_is_made_again(here: HostedStudio) -> None:
    [off] = here.generate("a mill", model="other/tiny", seed=7, num_inference_steps=2, guidance_scale=0.0)
    assert off.recipe.to_request().guidance_scale == 0.0
    [open_] = here.generate("a mill", model="other/tiny", seed=7, num_inference_steps=2)
    assert open_.recipe.to_request().guidance_scale is None


def test_what_the_other_darkroom_ignores_is_told_once_for_all_pictures(here: HostedStudio) -> None:
    wish = parse_request(
        prompt="a mill",
        model="other/tiny",
        negative_prompt="fog",
        guidance_scale=1.0,
        num_inference_steps=1,
        num_images=2,
    )
    job = here.submit(wish)
    assert len(job.result()) == 2
    told = [warning for warning in job.state.warnings if "negative prompt" in warning]
    assert told == ["Other: A negative prompt needs guidance above 1; at 1 it is ignored."]


def test_a_picture_that_develops_there_is_shown_here(here: HostedStudio, told: Told) -> None:
    model = here.model("other/tiny")
    assert isinstance(model, HostedModel)
    upstairs = here.hosted.provider(model)
    request = parse_request(prompt="a mill", seed=7, num_inference_steps=300)  # long enough for previews
    [arrived] = adapter.make(Call(model, upstairs, upstairs.base_url, {}, request), told.watch)
    assert arrived.request_id
    assert [event for event in told.events if isinstance(event, Preview)]


def test_a_model_that_is_there_no_longer_is_said_to_be_gone(here: HostedStudio) -> None:
    [model, *_] = [model for model in here.hosted.models if model.provider == "other"]
    gone = model.model_copy(update={"id": "other/gone", "source": "gone"})
    servers.keep(here.settings.hosted_file, servers.Server(here.hosted.provider(model), [gone]))
    with pytest.raises(ModelRetired, match="no model gone"):
        here.generate("a mill", model="other/gone")
