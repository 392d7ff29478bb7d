"""What is said of two recipes of the same wish."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.recipe import ComponentUse, ControlUsed, FileUse
from pipeline.rerun.changes import changes
from tests.gallery.pictures import make_recipe

PART = ComponentUse(parameters=1, dtype="float32", bytes_before=4, bytes_after=4)
NET = ControlUsed(net="canny", image="a" * 64 + "-64x64", sha256="1" * 64)


def test_two_recipes_that_agree_in_all_that_shapes_a_picture_have_no_changes() -> None:
    later = make_recipe(seconds=9.0, load_seconds=3.0, sha256="0" * 64)
    assert changes(make_recipe(), later) == ()


@pytest.mark.parametrize(
    ("then", "now", "sentence"),
    [
        ({"device": "cuda:0 (A)"}, {}, "It was computed on cuda:0 (A) then, cpu (2 cores) now."),
        ({}, {"dtype": "bfloat16"}, "It was computed in float32 then, bfloat16 now."),
        ({"quantization": "nf4"}, {}, "Weights were held with quantisation nf4 then, none now."),
        ({"offload": "model"}, {}, "Weights rested with offload model then, none now."),
        ({"vae_tiling": True}, {}, "The picture was decoded in tiles then."),
        ({}, {"scheduler_config": {"shift": 1.0}}, "The scheduler's shift was 3.0 then, 1.0 now."),
        ({"scheduler_config": {}}, {}, "The scheduler's shift had no value then and has one now."),
        ({}, {"scheduler_config": {}}, "The scheduler's shift had a value then and has none now."),
        ({"scheduler": "EulerDiscreteScheduler"}, {"scheduler": "X"}, "The scheduler was EulerDiscreteScheduler then"),
        ({"arguments": {"length": 256}}, {"arguments": {"length": 32}}, "The argument length was 256 then, 32 now."),
        ({}, {"arguments": {"b": 1, "a": 2}}, "The argument a, b had no value then and has one now."),
        ({}, {"model_revision": "sha256:" + "f" * 64}, "b940f670f0 then, ffffffffff now."),
        ({"versions": {"torch": "2.12.0"}}, {}, "torch was 2.12.0 and is 2.13.0 now."),
        ({"versions": {"peft": "1"}}, {"versions": {}}, "peft was 1 and is not installed now."),
        ({}, {"model_revision": "f" * 40}, "are others: b940f670f0 then, ffffffffff now."),
        ({"image": "a" * 64 + "-8x8"}, {"image": "b" * 64 + "-8x8"}, "came out otherwise already."),
        ({"vae": FileUse(name="film", sha256="1")}, {}, "The VAE film is another file than then."),
        (
            {"loras": [FileUse(name="ink", sha256="1")]},
            {"loras": [FileUse(name="ink", sha256="2")]},
            "The LoRA ink is another file than then.",
        ),
        (
            {"controls": [NET]},
            {"controls": [NET.model_copy(update={"sha256": "2" * 64})]},
            "The ControlNet canny has other weights than then.",
        ),
        (
            {"components": {"text_encoder_3": PART.model_copy(update={"quantization": "int8"})}},
            {"components": {"text_encoder_3": PART}},
            "text_encoder_3 was held in int8 then, its usual precision now.",
        ),
    ],
)
def test_each_circumstance_that_differs_is_one_sentence(
    then: dict[str, Any], now: dict[str, Any], sentence: str
) -> None:
    [told] = changes(make_recipe(**then), make_recipe(**now))
    assert sentence in told


def test_what_holds_for_the_whole_model_is_not_told_again_for_each_component() -> None:
    nf4 = PART.model_copy(update={"quantization": "nf4"})
    then = make_recipe(quantization="nf4", components={"transformer": nf4})
    assert len(changes(then, make_recipe(components={"transformer": PART}))) == 1


def test_packages_that_the_recipe_does_not_name_took_no_part() -> None:
    assert changes(make_recipe(), make_recipe(versions={"torch": "2.13.0", "compel": "2"})) == ()
