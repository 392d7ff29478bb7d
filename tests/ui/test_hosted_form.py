"""The sidebar's fields for hosted models as data, and what is said of their pictures; no browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.gallery.restore import Restored
from pipeline.hosted import servers
from pipeline.inputs import InputId
from pipeline.models.hosted import HostedModel, Provider
from pipeline.models.hosted_size import HostedSize
from pipeline.models.registry import Registry
from pipeline.models.sampling import GuidanceRange, StepRange
from pipeline.recipe import HostedUse, Recipe
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import either, form, hosted, restored
from ui.parts import hosted_recipe, text
from ui.parts.compare import axes
from ui.parts.compare import form as compare

REGISTRY = Registry.read()
OFFERED = [model for model in REGISTRY.hosted if model.retires is None]
DEMO = REGISTRY.find("demo")
[FREE] = [model for model in REGISTRY.hosted if model.id == "openai/gpt-image-2"]
SHAPED = FREE.model_copy(
    update={
        "size": HostedSize(native=(1024, 1024), multiple=16, min=1024, max=1536, shapes=((1024, 1024), (1536, 1024)))
    }
)
NAMED = FREE.model_copy(
    update={
        "size": HostedSize(
            native=(1024, 1024),
            multiple=1,
            min=64,
            max=8192,
            ratios=("1:1", "16:9"),
            resolutions={"1K": 1024, "2K": 2048},
        )
    }
)
FAR = FREE.model_copy(
    update={
        "darkroom": True,
        "seed": True,
        "negative_prompt": True,
        "options": {},
        "steps": StepRange(default=9, min=2, max=20),
        "guidance": GuidanceRange(default=3.5, min=1, max=10),
        "schedulers": ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"),
    }
)
"""A model of another Darkroom."""
HEUN = FAR.schedulers[1]
PICTURE: InputId = f"{'a' * 64}-640x480"
MASK: InputId = f"{'b' * 64}-640x480"


@pytest.fixture
def studio(make_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A studio with a key for OpenAI, whose engine never starts."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    studio = Studio(make_settings())
    yield studio
    studio.close()


@pytest.mark.parametrize("model", [*OFFERED, FAR], ids=lambda model: model.id)
def test_the_blank_form_of_every_hosted_model_is_a_request_that_it_takes_without_complaint(model: HostedModel) -> None:
    request = hosted.to_request(hosted.blank(model) | {"prompt": "a boat"}, model)
    model.check(request)
    assert model.ignored(request) == []


@pytest.mark.parametrize("model", [*OFFERED, SHAPED, NAMED], ids=lambda model: model.id)
def test_every_size_that_is_offered_is_made_as_it_is_asked_for(model: HostedModel) -> None:
    for width, height in hosted.sizes(model):
        request = GenerationRequest(prompt="x", width=width, height=height)
        model.check(request)
        assert model.ignored(request) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"width": 1024, "height": 768, "num_images": 3},
        {"width": 1296, "height": 752},
        {"options": {"quality": "low", "background": "transparent", "moderation": "auto"}},
        {"image": PICTURE},
        {"image": PICTURE, "mask": MASK},
    ],
)
def test_a_form_filled_from_a_request_asks_for_the_same_again(fields: dict[str, Any]) -> None:
    request = GenerationRequest(prompt="a boat", **fields)
    again = hosted.to_request(hosted.filled(request, FREE), FREE)
    assert {name: getattr(again, name) for name in fields} == fields


def test_nothing_is_sent_that_another_model_left_in_the_form() -> None:
    left = form.blank(DEMO) | hosted.defaults(FREE)
    left |= {"prompt": "a boat", "seed": 7, "negative_prompt": "fog", "enlarge": 2, "variation_strength": 0.2}
    request = hosted.to_request(left | {"num_inference_steps": 9, "image": PICTURE, "strength": 0.3}, FREE)
    assert FREE.ignored(request) == []
    FREE.check(request)
    assert request.image == PICTURE


@pytest.mark.parametrize(
    "fields",
    [
        {"num_inference_steps": 4, "guidance_scale": 1.0, "seed": 7, "negative_prompt": "fog", "scheduler": HEUN},
        {"image": PICTURE, "strength": 0.3, "fit": "pad"},
        {"image": PICTURE, "mask": MASK, "strength": 0.9, "mask_feather": 5},
    ],
)
def test_the_form_of_a_model_of_another_darkroom_has_what_it_follows(fields: dict[str, Any]) -> None:
    request = GenerationRequest(prompt="a boat", **fields)
    again = hosted.to_request(hosted.filled(request, FAR), FAR)
    assert {name: getattr(again, name) for name in fields} == fields
    FAR.check(again)
    assert FAR.ignored(again) == []


def test_another_darkroom_is_asked_for_its_own_numbers_where_they_are_no_choice() -> None:
    fixed = FAR.model_copy(update={"steps": StepRange(default=4, min=4, max=4), "guidance": None})
    given = hosted.blank(fixed) | {"prompt": "a boat", "num_inference_steps": 9, "guidance_scale": 5.0}
    request = hosted.to_request(given, fixed)
    assert (request.num_inference_steps, request.guidance_scale, request.scheduler) == (4, None, None)


def test_its_own_scheduler_is_no_change_of_the_form() -> None:
    request = GenerationRequest(prompt="a boat", scheduler=FAR.schedulers[0])
    assert hosted.filled(request, FAR)["scheduler"] == form.OWN


def test_a_server_of_which_nothing_is_told_is_asked_for_nothing_beside_words_size_and_seed() -> None:
    plain = FREE.model_copy(update={"seed": True, "options": {}})
    left = form.blank(DEMO) | hosted.defaults(plain) | {"prompt": "a boat", "image": PICTURE, "scheduler": HEUN}
    sent = hosted.to_request(left, plain).model_dump(exclude_defaults=True)
    assert sent.keys() == {"prompt", "model", "width", "height", "image"}


def test_a_seed_is_sent_to_a_provider_that_takes_one_only() -> None:
    seeded = FREE.model_copy(update={"seed": True})
    given = hosted.blank(FREE) | {"prompt": "a boat", "seed": 7}
    assert hosted.to_request(given, FREE).seed == -1
    assert hosted.to_request(given, seeded).seed == 7


def test_a_mask_must_be_painted_before_a_part_is_repainted() -> None:
    given = hosted.blank(FREE) | {"prompt": "a boat", "image": PICTURE, "way": form.REPAINT}
    with pytest.raises(InvalidRequest) as caught:
        hosted.to_request(given, FREE)
    assert caught.value.info.field == "mask"


def test_shapes_that_a_provider_names_have_its_names_and_others_come_to_the_nearest() -> None:
    sizes = hosted.sizes(NAMED)
    assert list(sizes.values())[:2] == ["1:1 · 1K · 1024 × 1024", "16:9 · 1K · 1360 × 768"]
    filled = hosted.filled(GenerationRequest(prompt="a boat", width=1900, height=1100), NAMED)
    assert filled["size"] in sizes
    assert filled["size"] == NAMED.size.made(1900, 1100)
    assert hosted.turned(filled, NAMED) is None


def test_a_size_is_turned_where_the_provider_makes_the_other_one() -> None:
    lying = {"size": (1024, 768), "width": 1024, "height": 768}
    assert hosted.turned(lying, FREE) == {"size": (768, 1024), "width": 768, "height": 1024}
    assert hosted.turned({"size": (1536, 1024)}, SHAPED) is None


def test_a_picture_to_work_from_brings_a_size_that_the_provider_makes() -> None:
    for model in (FREE, SHAPED, NAMED):
        for picture in ((640, 480), (4000, 300), (64, 64)):
            fields = hosted.sized_for(picture, model)
            model.check(GenerationRequest(prompt="x", width=fields["width"], height=fields["height"]))


def test_only_models_that_can_be_asked_are_offered(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FREE in hosted.offered(studio)
    assert hosted.names(studio)[FREE.id] == "GPT Image 2 · hosted by OpenAI"
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    assert FREE not in hosted.offered(studio)
    assert either.known(studio, FREE.id) is None


def test_nothing_goes_to_a_provider_before_somebody_has_agreed(studio: Studio) -> None:
    assert hosted.agreed(studio, studio.default.record)
    with pytest.raises(InvalidRequest, match="nobody here has agreed"):
        hosted.check_agreed(studio, FREE.id)
    studio.hosted.acknowledge("openai")
    hosted.check_agreed(studio, FREE.id)


def recipe(**used: Any) -> Recipe:
    return Recipe(
        prompt="a boat",
        model=FREE.id,
        model_revision="",
        num_inference_steps=0,
        guidance_scale=0.0,
        width=1024,
        height=768,
        seed=5,
        scheduler="",
        scheduler_config={},
        quantization="none",
        offload="none",
        options={"quality": "low", "background": "auto"},
        hosted=HostedUse(provider="OpenAI", host="api.openai.com", model="gpt-image-2", **used),
        dtype="uint8",
        device="OpenAI (api.openai.com)",
        versions={},
        seconds=2.0,
        sha256="",
    )


def test_a_hosted_picture_is_told_by_who_made_it_and_not_by_steps() -> None:
    assert text.facts(recipe()) == ["1024 × 768", "hosted by OpenAI", "quality low", "no seed", "2.0 s"]
    assert "seed 5" in text.facts(recipe(seeded=True))
    told = recipe(usage={"total_tokens": 1200}, request_id="req_7")
    assert told.hosted is not None
    rows = dict(hosted_recipe.rows(told, told.hosted))
    assert (rows["Counted"], rows["Request"], rows["Steps"]) == ("total tokens 1,200", "req_7", "")
    assert rows["Reproducible"].startswith("No")
    assert hosted_recipe.told(recipe(), "num_inference_steps") is None
    assert hosted_recipe.told(recipe(), "seed") is None
    assert hosted_recipe.told(recipe(seeded=True), "seed") == 5
    assert hosted_recipe.told(recipe(), "guidance_scale") is None
    assert hosted_recipe.told(recipe(guided=True), "guidance_scale") == 0.0


def test_settings_of_a_hosted_picture_come_back_into_the_form(studio: Studio) -> None:
    fields = {"prompt": "a boat", "model": FREE.id, "width": 1024, "height": 768, "options": {"quality": "low"}}
    found = restored.into_form(studio, Restored(source="darkroom", fields=fields, model_name=FREE.id), "tiny")
    assert found.notes == ()
    request = hosted.to_request(found.form, FREE)
    assert (request.model, request.width, request.options["quality"]) == (FREE.id, 1024, "low")


def test_a_hosted_picture_without_its_provider_gives_its_words_to_the_model_of_the_form(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    fields = {"prompt": "a boat", "model": FREE.id, "width": 64, "height": 64, "options": {"quality": "low"}}
    found = restored.into_form(studio, Restored(source="darkroom", fields=fields, model_name=FREE.id), "tiny")
    assert (found.form["model"], found.form["prompt"]) == ("tiny", "a boat")
    assert found.notes[0] == "GPT Image 2 cannot be asked here now; Tiny is used."


def test_what_a_hosted_model_cannot_take_of_a_file_is_told(studio: Studio) -> None:
    fields = {"prompt": "a boat", "num_inference_steps": 7, "guidance_scale": 4.0, "seed": 77}
    found = restored.into_form(studio, Restored(source="a1111", fields=fields, model_name="nobody"), FREE.id)
    assert found.form["prompt"] == "a boat"
    assert "num inference steps, guidance scale" in found.notes[-1]


def test_settings_of_a_file_that_another_darkroom_follows_come_into_its_form(
    make_settings: Callable[..., Any],
) -> None:
    settings = make_settings()
    provider = Provider(id="far", name="Far", adapter="compatible", base_url="http://far.invalid/v1")
    there = FAR.model_copy(update={"id": "far/one", "provider": "far"})
    servers.keep(settings.hosted_file, servers.Server(provider, [there]))
    fields = {"prompt": "a boat", "num_inference_steps": 7, "guidance_scale": 4.0, "scheduler": HEUN, "seed": 77}
    gone = {"image": PICTURE, "strength": 0.4, "loras": ({"name": "fog", "weight": 1.0},)}
    studio = Studio(settings)  # whose engine never starts
    found = restored.into_form(studio, Restored(source="a1111", fields=fields | gone, model_name="far/one"), "tiny")
    studio.close()
    request = hosted.to_request(found.form, there)
    assert {name: getattr(request, name) for name in fields} == fields
    assert request.image is None
    assert found.notes == (
        f"{there.name} does not take these, which are left out: loras.",
        "A picture that it was made from is not kept here.",
    )


def test_a_comparison_of_both_kinds_shares_the_sizes_that_all_can_make() -> None:
    large = REGISTRY.find("stable-diffusion-3.5-medium")
    shared = compare.sizes([SHAPED, large], 4_194_304)
    assert list(shared) == [compare.OWN, (1024, 1024)]
    assert (1024, 1024) in compare.sizes([large, NAMED], 4_194_304)
    assert (768, 1024) not in compare.sizes([large, NAMED], 4_194_304)


def test_only_what_a_hosted_model_leaves_to_choose_can_be_compared_with_it() -> None:
    assert axes.comparable(FREE) == ["model", "prompt"]
    assert axes.comparable(FREE.model_copy(update={"seed": True})) == ["model", "prompt", "seed"]


def test_addresses_and_commands_in_a_sentence_become_links_and_code() -> None:
    told = text.linked("Run `pip install <x>`, and see https://example.org/keys.")
    assert told == (
        "Run <code>pip install &lt;x&gt;</code>, and see "
        '<a href="https://example.org/keys" target="_blank" rel="noopener">example.org/keys</a>.'
    )
