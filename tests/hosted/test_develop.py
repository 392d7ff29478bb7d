"""From the file that came to a picture for the gallery."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from pipeline.errors import ProviderFailed
from pipeline.hosted.call import Arrival, Call
from pipeline.hosted.develop import develop, draft
from pipeline.models.registry import Registry
from pipeline.pictures.decode import decode_picture
from pipeline.pictures.store import input_id
from pipeline.recipe import Recipe
from tests.hosted.conftest import call_of
from tests.hosted.provider_server import picture


@pytest.fixture(scope="module")
def call() -> Call:
    model = next(one for one in Registry.read().hosted if one.id == "openai/gpt-image-2")
    address = "https://ann:secret@images.invalid/v1"
    return call_of(model, address, width=1024, height=512, negative_prompt="fog", options={"quality": "low"})


@pytest.fixture(scope="module")
def drafted(call: Call) -> Recipe:
    return draft(call, Arrival(b""), 0, 2.5, {})


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_kind_of_file_gives_its_pixels(drafted: Recipe, kind: str) -> None:
    data = picture(1024, 512, kind=kind)
    found = develop(drafted, data, 3)
    with Image.open(io.BytesIO(data)) as image:
        pixels = image.convert("RGB").tobytes()
    assert (found.index, found.rgb, found.alpha) == (3, pixels, b"")
    assert found.recipe.sha256 == hashlib.sha256(pixels).hexdigest()
    assert found.recipe.work_size is None


def test_transparency_is_kept_where_there_is_some(drafted: Recipe) -> None:
    found = develop(drafted, picture(4, 4, (9, 9, 9, 128), "RGBA"), 0)
    assert (found.alpha, found.rgb) == (bytes([128]) * 16, bytes([9]) * 48)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_transparent_picture_is_named_by_others_as_it_is_taken_to_work_from(drafted: Recipe, kind: str) -> None:
    data = picture(16, 16, (9, 99, 199, 128), "RGBA", kind)
    found = develop(drafted, data, 0)
    assert found.recipe.sha256 == hashlib.sha256(found.rgb).hexdigest()
    assert found.recipe.pixels == input_id(decode_picture(data, 256).image)
    assert found.recipe.sha256 not in found.recipe.pixels


def test_a_picture_that_is_opaque_all_over_has_no_opacity_and_one_hash(drafted: Recipe) -> None:
    found = develop(drafted, picture(4, 4, (9, 9, 9, 255), "RGBA"), 0)
    assert (found.alpha, found.recipe.sha256_on_white) == (b"", "")
    assert found.recipe.pixels == f"{found.recipe.sha256}-4x4"


def test_the_size_is_that_of_the_file_and_what_was_asked_for_is_told_beside_it(drafted: Recipe) -> None:
    recipe = develop(drafted, picture(960, 480), 0).recipe
    assert (recipe.width, recipe.height, recipe.work_size) == (960, 480, (1024, 512))
    assert (recipe.to_request().width, recipe.to_request().height) == (1024, 512)


def bomb() -> bytes:
    """A header that promises more pixels than any picture has."""
    data = bytearray(picture(4, 4))
    data[16:24] = (60_000).to_bytes(4) * 2
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", picture()[:60], picture(kind="JPEG")[:40], picture(kind="WEBP")[:40], bomb()],
    ids=["empty", "page", "png", "jpeg", "webp", "bomb"],
)
def test_what_is_no_picture_is_said_to_be_none(drafted: Recipe, data: bytes) -> None:
    with pytest.raises(ProviderFailed, match=r"OpenAI \(images.invalid\) sent is no picture"):
        develop(drafted, data, 0)


def test_the_recipe_says_who_made_it_and_what_was_asked(call: Call) -> None:
    came = Arrival(b"", "gpt-image-2-2026-04-21", "req-1", "a boat, in oil", {"output_tokens": 9})
    recipe = draft(call, came, 2, 2.5, {"openai": "3.52.0"})
    assert recipe.hosted is not None
    assert recipe.hosted.model_dump() == {
        "provider": "OpenAI",
        "host": "images.invalid",
        "model": "gpt-image-2-2026-04-21",
        "request_id": "req-1",
        "seeded": False,
        "guided": False,
        "revised_prompt": "a boat, in oil",
        "usage": {"output_tokens": 9},
    }
    assert (recipe.seed, recipe.negative_prompt, recipe.seconds) == (9, "", 2.5), "the third picture of the call"
    assert recipe.options == {"quality": "low", "background": "auto", "moderation": "auto"}
    assert "secret" not in recipe.model_dump_json()
