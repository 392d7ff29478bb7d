"""What is particular to CogView, PixArt, Lumina, Hunyuan-DiT and Sana, and how far each family reads a prompt."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from pipeline.engine import Engine
from pipeline.engine.generate import cut_off
from pipeline.errors import InvalidRequest
from pipeline.events import Picture, Warned
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request
from tests.checkpoints import FACTORIES, REGISTERED, family_record
from tests.engine.conftest import Run

Runner = Callable[..., Run]
Records = Callable[[str], ModelRecord]

SHAPED = ["pixart-alpha", "pixart-sigma", "sana"]
"""Families that draw in the nearest of their own shapes and fit the picture to the size that was asked for."""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The record of a family, with a tiny checkpoint that is made when it is first asked for."""

    @cache
    def find(family: str) -> ModelRecord:
        return family_record(family, FACTORIES[family](tmp_path_factory.mktemp("checkpoints") / family))

    return find


@pytest.fixture(scope="module")
def published(record: Records) -> Records:
    """The same with the sizes and arguments of the registry; tests of all families take smaller sizes."""

    def find(family: str) -> ModelRecord:
        registered = Registry.read().find(REGISTERED[family])
        return record(family).model_copy(update={"size": registered.size, "arguments": registered.arguments})

    return find


@pytest.mark.parametrize("family", SHAPED)
@pytest.mark.parametrize(("width", "height"), [(256, 512), (640, 256)])
def test_a_model_with_shapes_of_its_own_makes_the_size_that_was_asked_for(
    run: Runner, published: Records, family: str, width: int, height: int
) -> None:
    [picture] = run(published(family), width=width, height=height, num_inference_steps=2).pictures
    assert (picture.recipe.width, picture.recipe.height, len(picture.rgb)) == (width, height, width * height * 3)


@pytest.mark.parametrize("family", SHAPED)
def test_two_sizes_of_one_shape_are_the_same_picture(run: Runner, published: Records, family: str) -> None:
    small, large = (run(published(family), width=side, height=side).pictures[0] for side in (256, 512))
    difference = ImageChops.difference(image_of(large).reduce(2), image_of(small))
    assert max(ImageStat.Stat(difference).mean) < 3, "of 255: equal but for what the large one clips before it shrinks"


def test_hunyuan_refuses_other_shapes_than_its_ten_before_anything_is_loaded(published: Records) -> None:
    hunyuan = published("hunyuan")
    for width, height in hunyuan.size.shapes:
        hunyuan.check(parse_request(prompt="a red house", width=width, height=height))
    for size in ({"width": 1024, "height": 960}, {"width": 1280}, {"height": 512}):
        with pytest.raises(InvalidRequest, match="cannot make a picture") as refusal:
            hunyuan.check(parse_request(prompt="a red house", **size))
        assert refusal.value.info.field in size


def test_hunyuans_recipe_has_the_size_of_the_picture(run: Runner, published: Records) -> None:
    for asked, (width, height) in (({}, (1024, 1024)), ({"width": 1024, "height": 768}, (1024, 768))):
        [picture] = run(published("hunyuan"), num_inference_steps=1, **asked).pictures
        assert (picture.recipe.width, picture.recipe.height, len(picture.rgb)) == (width, height, width * height * 3)


@pytest.mark.parametrize("letters", [13, 14, 15, 40])
def test_cogview4_takes_prompts_on_either_side_of_its_padding(run: Runner, record: Records, letters: int) -> None:
    made = run(record("cogview4"), prompt="x" * letters, negative_prompt="a blur", num_inference_steps=2)
    other = run(record("cogview4"), prompt="x" * (letters - 1) + "y", negative_prompt="a blur", num_inference_steps=2)
    assert made.digests != other.digests


@pytest.mark.parametrize("family", FACTORIES)
def test_a_prompt_is_read_to_the_very_token_at_which_the_warning_begins(
    engine: Engine, run: Runner, record: Records, family: str
) -> None:
    settings: dict[str, Any] = {"record": record(family), "num_inference_steps": 2}
    run(**settings)
    loaded = engine._loaded
    assert loaded is not None
    fits = next(digits for digits in range(2000) if cut_off(loaded, prompt_of(digits + 1)))
    full, other_end, too_long = (
        run(**settings, prompt=prompt) for prompt in (prompt_of(fits), prompt_of(fits - 1) + "2", prompt_of(fits) + "2")
    )
    assert [len(made.of(Warned)) for made in (full, other_end, too_long)] == [0, 0, 1]
    assert other_end.digests != full.digests, "the last token that fits is read"
    assert too_long.digests == full.digests, "what the warning says is cut is not read"


def test_luminas_limit_is_256_tokens_whatever_its_arguments_say(run: Runner, record: Records) -> None:
    lumina = record("lumina")
    more = lumina.model_copy(update={"arguments": lumina.arguments | {"max_sequence_length": 512}})
    made = run(more, prompt="x" * 300, num_inference_steps=1)
    [warning] = made.of(Warned)
    assert "reads 255" in warning.message
    assert made.digests == run(lumina, prompt="x" * 400, num_inference_steps=1).digests


def test_sana_reads_an_instruction_before_the_prompt_unless_its_record_says_otherwise(
    run: Runner, published: Records
) -> None:
    sana = published("sana")
    literal = sana.model_copy(update={"arguments": sana.arguments | {"complex_human_instruction": None}})
    instructed, plain = run(sana), run(literal)
    assert instructed.digests != plain.digests
    assert plain.pictures[0].recipe.arguments["complex_human_instruction"] is None


def prompt_of(digits: int) -> str:
    """A prompt in which each digit is a token of its own, for every family's tokenizer."""
    return "x" + "1" * digits


def image_of(picture: Picture) -> Image.Image:
    return Image.frombytes("RGB", (picture.recipe.width, picture.recipe.height), picture.rgb)
