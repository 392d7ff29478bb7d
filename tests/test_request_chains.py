"""Chains as a request tells them, and what cannot be meant in one."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.request import MAX_SEED, MAX_STAGES, GenerationRequest, parse_request

PICTURE = "a" * 64 + "-640x480"


def test_a_stage_says_what_the_one_before_said_unless_it_says_otherwise() -> None:
    request = parse_request(
        prompt="a red house",
        negative_prompt="people",
        model="fast",
        seed=7,
        num_inference_steps=4,
        then=[{"model": "fine", "strength": 0.4}, {"prompt": "a blue house", "num_inference_steps": 30}],
    )
    first, second = request.stage(1, PICTURE), request.stage(2, PICTURE)
    assert (first.prompt, first.model, first.strength, first.num_inference_steps) == ("a red house", "fine", 0.4, None)
    assert (second.prompt, second.model, second.num_inference_steps) == ("a blue house", "fine", 30)
    assert [(one.negative_prompt, one.image, one.then) for one in (first, second)] == [("people", PICTURE, ())] * 2
    assert request.models("fast") == ("fast", "fine", "fine")
    assert request.num_pictures == 3


def test_a_chain_survives_json() -> None:
    request = parse_request(prompt="a house", then=[{"model": "fine", "upscale": {"factor": 2}}])
    assert GenerationRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("then", "sentence"),
    [
        ([{"strength": 0}], "Stage 2: At strength 0 the picture stays as it is. Choose more, or an enlargement."),
        ([{}, {"prompt": " "}], "Stage 3: The prompt is empty. Describe the picture that you want."),
        ([{"strength": 2}], "Stage 2: strength cannot be 2. Input should be less than or equal to 1."),
        ([{}, {"mask": PICTURE}], "Stage 3: mask is not a setting. Remove it, or check its spelling."),
        ([{}] * (MAX_STAGES + 1), "Tuple should have at most 7 items"),
    ],
)
def test_what_a_stage_cannot_be_is_told_with_its_number(then: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_request(prompt="a house", then=then)
    assert sentence in refused.value.info.sentence
    assert refused.value.info.field == "then"


def test_an_enlargement_at_the_end_needs_no_words_of_its_own() -> None:
    request = parse_request(prompt="a house", then=[{"strength": 0, "upscale": {"factor": 4}}])
    assert request.stage(1, PICTURE).task == "enlarge"


def test_every_seed_of_a_chain_has_room() -> None:
    chain = {"prompt": "x", "num_images": 2, "then": [{}]}
    assert parse_request(**chain, seed=MAX_SEED - 3).num_pictures == 4
    for fields in ({"seed": MAX_SEED - 2}, {"seed": MAX_SEED - 2, "variation_strength": 0.2}):
        with pytest.raises(InvalidRequest, match="last picture"):
            parse_request(**chain, **fields)
