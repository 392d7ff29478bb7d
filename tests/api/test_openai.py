"""OpenAI's own client against a real server: another `base_url`, and nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types import ImagesResponse
from PIL import Image

from api.openai.stream import Partials
from pipeline.events import Cancelled, Step
from pipeline.gallery.metadata import read_recipe
from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served

QUICK = {"num_inference_steps": 2}
LONG = {"num_inference_steps": 100, "num_images": 16}
SIDE = 64


@pytest.fixture(scope="module")
def address(studio: Studio) -> Iterator[str]:
    with served(app_of(studio)) as address:
        yield address


@pytest.fixture(scope="module")
def openai_client(address: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        yield client


@pytest.fixture
def retries(openai_client: OpenAI) -> Iterator[list[int]]:
    """How often each request of the client had been tried before, filled while it works."""
    tried: list[int] = []

    def count(request: Any) -> None:
        tried.append(int(request.headers["x-stainless-retry-count"]))

    openai_client._client.event_hooks = {"request": [count]}
    yield tried
    openai_client._client.event_hooks = {}


def png(color: str = "red", side: int = SIDE) -> bytes:
    """A file with a disc, so that there is something to keep."""
    image = Image.radial_gradient("L").resize((side, side)).convert("RGB")
    return saved(Image.blend(image, Image.new("RGB", image.size, color), 0.5))


def mask(side: int = SIDE) -> bytes:
    """Transparent, where something is drawn anew, on the left half."""
    image = Image.new("RGBA", (side, side), "black")
    image.paste((0, 0, 0, 0), (0, 0, side // 2, side))
    return saved(image)


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def files(answer: ImagesResponse) -> list[bytes]:
    return [base64.b64decode(item.b64_json or "") for item in answer.data or []]


def extra(model: Any, name: str) -> Any:
    """A field that OpenAI's own answers do not have."""
    return (model.model_extra or {})[name]


def test_a_script_of_today_and_one_of_old_both_find_their_picture(openai_client: OpenAI) -> None:
    answer = openai_client.images.generate(prompt="a red house", extra_body=QUICK)

    [item] = answer.data or []
    assert (answer.size, answer.output_format, answer.background) == (f"{SIDE}x{SIDE}", "png", "opaque")
    assert item.url
    assert httpx.get(item.url).content == base64.b64decode(item.b64_json or "")


def test_one_of_both_is_sent_where_it_is_asked_for(openai_client: OpenAI) -> None:
    [one] = openai_client.images.generate(prompt="a boat", response_format="url", extra_body=QUICK).data or []
    [other] = openai_client.images.generate(prompt="a boat", response_format="b64_json", extra_body=QUICK).data or []
    assert (one.b64_json, other.url) == (None, None)
    assert (one.url, other.b64_json) != (None, None)


def test_the_picture_is_the_file_of_our_own_interface(openai_client: OpenAI, studio: Studio) -> None:
    [own] = studio.generate("a mill", seed=7, guidance_scale=2.0, **QUICK)

    body = {"seed": 7, "guidance_scale": 2.0, "steps": 2}
    [file] = files(openai_client.images.generate(prompt="a mill", model="tiny", extra_body=body))

    recipe = read_recipe(file)
    assert recipe is not None
    assert recipe.sha256 == own.recipe.sha256
    assert recipe.to_request() == own.recipe.to_request()


def test_as_many_as_asked_for_come_in_the_size_that_was_asked_for(openai_client: OpenAI) -> None:
    body = QUICK | {"seed": 5}
    answer = openai_client.images.generate(prompt="hills", n=3, size="128x64", extra_body=body)
    assert answer.size == "128x64"
    assert [Image.open(io.BytesIO(file)).size for file in files(answer)] == [(128, 64)] * 3
    assert [extra(item, "seed") for item in answer.data or []] == [5, 6, 7]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_come_with_their_recipe_and_as_small_as_asked_for(openai_client: OpenAI, kind: Any) -> None:
    sizes = []
    for quality in (0, 100):
        answer = openai_client.images.generate(
            prompt="hills", output_format=kind, output_compression=quality, extra_body=QUICK | {"seed": 5}
        )
        [file] = files(answer)
        assert Image.open(io.BytesIO(file)).format == kind.upper()
        assert read_recipe(file) is not None
        assert httpx.get((answer.data or [])[0].url or "").content == file
        sizes.append(len(file))
    assert sizes[0] < sizes[1]


def test_what_is_ignored_is_told_and_what_is_done_anyway_is_not(openai_client: OpenAI) -> None:
    answer = openai_client.images.generate(
        prompt="hills", quality="high", style="vivid", background="transparent", moderation="low", extra_body=QUICK
    )
    told = [sentence.partition(" ")[0] for sentence in extra(answer, "warnings")]
    assert told == ["quality", "style", "background", "moderation"]
    answer = openai_client.images.generate(prompt="hills", quality="auto", background="opaque", extra_body=QUICK)
    assert extra(answer, "warnings") == []


def test_what_the_model_ignores_is_told_too(openai_client: OpenAI) -> None:
    body = QUICK | {"negative_prompt": "fog"}
    answer = openai_client.images.generate(prompt="hills", model="plain", extra_body=body)
    assert "negative prompt" in extra(answer, "warnings")[0]


def test_null_is_as_good_as_nothing(openai_client: OpenAI) -> None:
    answer = openai_client.images.generate(prompt="hills", model=None, n=None, size=None, extra_body=QUICK)
    assert len(answer.data or []) == 1


def test_the_job_behind_an_answer_has_its_request_id_and_the_user_it_is_for(
    openai_client: OpenAI, studio: Studio
) -> None:
    answer = openai_client.images.generate(prompt="hills", user="ann", extra_body=QUICK)
    job = studio.job(answer._request_id or "")
    assert job.state.client == "api:127.0.0.1:ann"


# -- edits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", ["whole", "masked"])
def test_an_edit_keeps_every_pixel_that_its_mask_does(openai_client: OpenAI, area: str) -> None:
    source = png()
    body = {"steps": 2, "seed": 3, "mask_area": area}

    [file] = files(openai_client.images.edit(image=source, mask=mask(), prompt="a lake", extra_body=body))

    before, after = (Image.open(io.BytesIO(data)).convert("RGB") for data in (source, file))
    right, left = (SIDE // 2, 0, SIDE, SIDE), (0, 0, SIDE // 2, SIDE)
    assert after.crop(right).tobytes() == before.crop(right).tobytes()
    assert after.crop(left).tobytes() != before.crop(left).tobytes()


def test_an_edit_without_a_mask_draws_from_the_picture_as_far_as_the_strength_says(
    openai_client: OpenAI, studio: Studio
) -> None:
    source = png()
    [own] = studio.generate("a lake", image=Image.open(io.BytesIO(source)), strength=0.5, seed=3, num_inference_steps=4)

    body = {"strength": 0.5, "seed": 3, "num_inference_steps": 4}
    [file] = files(openai_client.images.edit(image=[source], prompt="a lake", n=1, extra_body=body))

    recipe = read_recipe(file)
    assert recipe is not None
    assert (recipe.strength, recipe.sha256) == (0.5, own.recipe.sha256)


def test_structures_in_a_form_come_as_the_client_writes_them_and_as_json(openai_client: OpenAI) -> None:
    for upscale in ({"factor": 2}, '{"factor": 2}'):
        answer = openai_client.images.edit(image=png(), prompt="a lake", extra_body={"steps": 2, "upscale": upscale})
        assert answer.size == f"{2 * SIDE}x{2 * SIDE}"


def test_what_was_done_to_a_picture_is_told(openai_client: OpenAI) -> None:
    answer = openai_client.images.edit(image=mask(), prompt="a lake", extra_body={"steps": 2})
    assert extra(answer, "warnings") == ["Its transparent parts are white now."]


def test_pictures_that_cannot_be_meant_are_refused_with_the_field(openai_client: OpenAI, retries: list[int]) -> None:
    opaque = saved(Image.new("RGBA", (SIDE, SIDE), "black"))
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("image", "works from one", {"image": [png(), png("blue")]}),
        ("image", "not a picture", {"image": b"nonsense"}),
        ("mask", "no transparent part", {"image": png(), "mask": png()}),
        ("mask", "is empty", {"image": png(), "mask": opaque}),
        ("mask", "one size", {"image": png(), "mask": mask(2 * SIDE)}),
        ("markup", "is not a setting", {"image": png(), "markup": png()}),
    ]
    for field, words, sent in cases:
        with pytest.raises(openai.BadRequestError, match=words) as caught:
            openai_client.images.edit(prompt="a lake", **sent)
        assert (caught.value.param, caught.value.code) == (field, "invalid_request")
    assert retries == [0] * len(cases)


def test_an_edit_without_a_form_is_told_what_to_send(address: str) -> None:
    answer = httpx.post(f"{address}/v1/images/edits", json={"prompt": "a lake"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "image")
    assert "multipart/form-data" in answer.json()["error"]["message"]


# -- streams ------------------------------------------------------------------------------------------------------


def test_a_stream_shows_previews_and_then_the_picture(openai_client: OpenAI, studio: Studio) -> None:
    body = {"seed": 9, "num_inference_steps": 300}
    story = list(openai_client.images.generate(prompt="a tower", stream=True, partial_images=3, extra_body=body))

    *partial, last = story
    assert 0 < len(partial) <= 3
    for number, event in enumerate(partial):
        assert event.type == "image_generation.partial_image"
        assert (event.partial_image_index, event.output_format) == (number, "jpeg")
        width, height = Image.open(io.BytesIO(base64.b64decode(event.b64_json))).size
        assert event.size == f"{width}x{height}"
    assert last.type == "image_generation.completed"
    recipe = read_recipe(base64.b64decode(last.b64_json))
    assert recipe is not None
    assert recipe.sha256 == studio.gallery.recent(1)[0].recipe.sha256


def test_previews_are_spread_evenly_over_each_picture() -> None:
    partials, taken = Partials(2), list[int | None]()
    for image, step in ((0, 1), (0, 2), (0, 2), (0, 3), (0, 4), (1, 4), (1, 4)):
        partials.see(Step(image_index=image, step=step, total=4, seconds_left=None))
        taken.append(partials.take())
    assert taken == [None, 0, None, 1, None, 0, 1]


def test_a_stream_of_edits_has_names_of_its_own_and_no_previews_unless_wanted(openai_client: OpenAI) -> None:
    stream = openai_client.images.edit(image=png(), prompt="a lake", stream=True, n=2, extra_body={"steps": 2})
    assert [event.type for event in stream] == ["image_edit.completed"] * 2


def test_a_stream_tells_why_it_ends(openai_client: OpenAI, studio: Studio) -> None:
    stream = openai_client.images.generate(prompt="a tower", stream=True, partial_images=3, extra_body=LONG)
    next(iter(stream))
    studio.job(stream.response.headers["x-request-id"]).cancel()
    with pytest.raises(openai.APIError, match="was cancelled") as caught:
        list(stream)
    assert caught.value.code == "job_cancelled"


# -- hanging up ---------------------------------------------------------------------------------------------------


def test_who_leaves_a_stream_takes_the_job_along(openai_client: OpenAI, studio: Studio) -> None:
    with openai_client.images.generate(prompt="a tower", stream=True, partial_images=3, extra_body=LONG) as stream:
        next(iter(stream))
        job = studio.job(stream.response.headers["x-request-id"])
    assert isinstance(list(job.events())[-1], Cancelled)


def test_who_gives_up_waiting_takes_the_job_along(openai_client: OpenAI, studio: Studio) -> None:
    impatient = openai_client.with_options(timeout=2, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        impatient.images.generate(prompt="a tower", user="impatient", extra_body=LONG)
    [job] = studio.jobs(client="api:127.0.0.1:impatient")
    assert isinstance(list(studio.job(job.id).events())[-1], Cancelled)


# -- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("prompt", {"prompt": "   "}),
        ("n", {"n": 11}),
        ("size", {"size": "large"}),
        ("size", {"size": "1024x1024"}),
        ("size", {"size": "10x10"}),
        ("output_format", {"output_format": "gif"}),
        ("partial_images", {"partial_images": 4}),
        ("steps", {"extra_body": {"steps": 0}}),
        ("num_inference_steps", {"extra_body": {"num_inference_steps": 0}}),
        ("width", {"extra_body": {"width": 65}}),
        ("scheduler", {"extra_body": {"scheduler": "Nobody"}}),
        ("sead", {"extra_body": {"sead": 3}}),
        ("strength", {"extra_body": {"strength": 0.5}}),
    ],
)
def test_what_cannot_be_made_is_a_bad_request_that_names_the_field_and_is_not_asked_again(
    openai_client: OpenAI, retries: list[int], field: str, sent: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.images.generate(**{"prompt": "a boat"} | sent)
    assert (caught.value.param, caught.value.code, caught.value.type) == (
        field,
        "invalid_request",
        "invalid_request_error",
    )
    assert retries == [0]


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-0"])
def test_models_that_are_not_here_are_not_found_and_those_that_are_are_named(openai_client: OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match="tiny") as caught:
        openai_client.images.generate(prompt="a boat", model=model)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_route_is_not_found_in_the_same_shape(openai_client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.files.list()
    assert caught.value.code == "not_found"


def test_the_api_key_is_the_token(make_settings: Callable[..., Any]) -> None:
    studio = Studio(make_settings(token="sesame"))
    with served(app_of(studio)) as address:
        with pytest.raises(openai.AuthenticationError) as caught:
            OpenAI(base_url=f"{address}/v1", api_key="open").models.list()
        assert caught.value.code == "invalid_api_key"
        assert OpenAI(base_url=f"{address}/v1", api_key="sesame").models.list().data
    studio.close()


def test_the_models_that_are_here_are_listed_the_default_first_and_found_by_short_names(openai_client: OpenAI) -> None:
    listed = [model.id for model in openai_client.models.list()]
    assert listed[0] == "tiny"
    assert {"tiny", "plain", "demo"} <= set(listed)
    one = openai_client.models.retrieve("stabilityai/stable-diffusion-3.5-medium")
    assert (one.object, one.owned_by) == ("model", "stabilityai")
    assert openai_client.models.retrieve("demo").owned_by == "darkroom"
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("nobody")
