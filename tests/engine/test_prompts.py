"""Prompt weights: how the syntax is read, what it does to a picture, and that it does nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.engine import prompts
from pipeline.engine.engine import Engine
from pipeline.events import Warned
from pipeline.models.emphasis import is_weighted, pieces, plain
from pipeline.models.registry import ModelRecord
from pipeline.request import parse_request
from tests.checkpoints import SD35, flux_checkpoint, record_for, sd15_checkpoint, sd35_checkpoint, sdxl_checkpoint
from tests.engine.conftest import Run

FLUX, SD15, SDXL = "FLUX.1-dev", "stable-diffusion-v1-5/stable-diffusion-v1-5", "stable-diffusion-xl-base-1.0"
MAKERS = {SD15: sd15_checkpoint, SDXL: sdxl_checkpoint, SD35: sd35_checkpoint, FLUX: flux_checkpoint}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRecord]:
    root = tmp_path_factory.mktemp("prompts")
    size = {"native": (64, 64), "multiple": 16, "min": 64, "max": 256}
    return {
        name: record_for(make(root / str(place)), name, size=size) for place, (name, make) in enumerate(MAKERS.items())
    }


def pairs(prompt: str) -> list[tuple[str, float]]:
    return [(piece.text, piece.weight) for piece in pieces(prompt)]


# -- the syntax


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red house", [("a red house", 1.0)]),
        ("a (red) house", [("a ", 1.0), ("red", 1.1), (" house", 1.0)]),
        ("a ((red)) house", [("a ", 1.0), ("red", 1.21), (" house", 1.0)]),
        ("a [red] house", [("a ", 1.0), ("red", 0.9091), (" house", 1.0)]),
        ("a (red:1.4) house", [("a ", 1.0), ("red", 1.4), (" house", 1.0)]),
        ("(red: 0.5 )", [("red", 0.5)]),
        ("(red:.5)", [("red", 0.5)]),
        ("(a (red:1.5) house:0.8)", [("a ", 0.8), ("red", 1.2), (" house", 0.8)]),
        ("(one)(two)", [("onetwo", 1.1)]),
        ("(a\nhouse:2)", [("a\nhouse", 2.0)]),
        # taken as they stand
        (r"a house \(red\)", [("a house (red)", 1.0)]),
        (r"\[x\] and \\", [("[x] and \\", 1.0)]),
        (r"C:\temp", [(r"C:\temp", 1.0)]),
        ("smile :) or (:", [("smile :) or (:", 1.0)]),
        ("(()", [("(()", 1.0)]),
        ("a ( ) b", [("a ( ) b", 1.0)]),
        ("a (b] c", [("a (b] c", 1.0)]),
        ("", []),
        # half of both
        ("((red) house", [("(", 1.0), ("red", 1.1), (" house", 1.0)]),
        (r"(red\):1.4)", [("red)", 1.4)]),
        ("(16:9)", [("16", 9.0)]),
        ("(ratio 16:9 wide)", [("ratio 16:9 wide", 1.1)]),
        ("[a:b:0.5]", [("a:b:0.5", 0.9091)]),
    ],
)
def test_the_syntax_is_read_as_a1111_reads_it(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert pairs(prompt) == expected
    assert plain(prompt) == "".join(text for text, _ in expected)
    assert is_weighted(prompt) == any(weight != 1 for _, weight in expected)


def test_a_long_prompt_of_brackets_is_read_quickly() -> None:
    assert pairs("(" * 2000 + ")" * 2000) == [("()", 10.0)]
    assert pairs("(" * 1999 + "x" + ")" * 1999) == [("x", 10.0)]
    assert pairs("[" * 1999 + "x" + "]" * 1999) == [("x", 0.0)]
    assert pairs("(x:-999999999999999999999)") == [("x", -10.0)]


# -- what it does


@pytest.mark.parametrize("name", MAKERS)
def test_weights_change_the_picture_and_their_absence_does_not(
    models: dict[str, ModelRecord], run: Callable[..., Run], name: str
) -> None:
    def digest(prompt: str) -> str:
        made = run(models[name], prompt=prompt)
        assert not made.of(Warned)
        return made.digests[0]

    usual = digest("a red house")
    assert digest("a red house") == usual
    assert len({usual, digest("a (red:3) house"), digest("a (red:0.2) house")}) == 3
    assert digest("a (red:1) house") == usual


@pytest.mark.parametrize("name", [SD15, SDXL, SD35])
def test_negative_prompts_are_weighted_too(models: dict[str, ModelRecord], run: Callable[..., Run], name: str) -> None:
    made = {
        (prompt, negative): run(models[name], prompt=prompt, negative_prompt=negative).digests[0]
        for prompt in ("a red house", "a (red:3) house")
        for negative in ("fog", "(fog:3)")
    }
    assert len(set(made.values())) == 4


def test_the_recipe_keeps_the_prompt_as_it_was_typed(models: dict[str, ModelRecord], run: Callable[..., Run]) -> None:
    recipe = run(models[SD15], prompt="a (red:1.3) house").pictures[0].recipe
    assert recipe.prompt == "a (red:1.3) house"
    assert recipe.arguments == models[SD15].arguments


@pytest.mark.parametrize("name", MAKERS)
def test_parts_of_equal_weight_are_encoded_as_the_pipeline_does(
    models: dict[str, ModelRecord], engine: Engine, name: str
) -> None:
    record = models[name]
    engine.load(record, parse_request(prompt="x"), lambda _: None)
    pipeline = engine._loaded.pipeline
    room = record.arguments.get("max_sequence_length", 512)
    own = prompts._unweighted(pipeline, record.family, "a red house", room)["prompt_embeds"]
    made = prompts._weighted(pipeline, record, "a red house")["prompt_embeds"]
    assert made.shape == own.shape
    # compel gives T5 a mask that masks nothing, which is summed in another order.
    summed_otherwise = 0.05 if own.dtype == torch.bfloat16 else 1e-4
    tolerance = summed_otherwise if record.family in {"sd3", "flux"} else 0.0
    assert torch.allclose(made, own, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_longer_than_the_model_reads_is_cut(
    models: dict[str, ModelRecord], run: Callable[..., Run], name: str
) -> None:
    prompt = "a (red:1.3) [house] " * 150
    assert len(run(models[name], prompt=prompt, num_inference_steps=1).pictures) == 1


def test_other_families_take_brackets_literally_and_say_so_once(
    demo: ModelRecord, run: Callable[..., Run], tiny_checkpoint: Path
) -> None:
    other = demo.model_copy(update={"family": "qwen"})
    encoded = prompts.encoded(None, other, "a (red:1.4) house", "[fog]")
    assert encoded.arguments == {"prompt": "a (red:1.4) house", "negative_prompt": "[fog]"}
    assert "takes no prompt weights" in encoded.note
    assert prompts.encoded(None, other, "a smile :)").note == ""
