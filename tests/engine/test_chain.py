"""Several models in a row, drawn by real pipelines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.engine import Engine
from pipeline.engine.chain import chained
from pipeline.events import Preview, Step
from pipeline.models.registry import ModelRecord
from pipeline.request import parse_request
from tests.engine.conftest import Run

STAGES = ({"prompt": "a blue house", "strength": 0.7, "num_inference_steps": 4}, {"strength": 1})
CHAIN = parse_request(prompt="a red house", seed=7, num_inference_steps=2, num_images=2, then=STAGES)


@pytest.fixture(scope="module")
def models(demo: ModelRecord) -> list[ModelRecord]:
    other = demo.model_copy(update={"id": "other"})
    return [demo, other, other]


def make(engine: Engine, models: Sequence[ModelRecord], indices: Sequence[int], made: dict[int, str]) -> Run:
    run = Run()
    run.pictures.extend(chained(engine, CHAIN, models, indices, made, run.events.append, lambda: False))
    return run


@pytest.fixture(scope="module")
def whole(engine: Engine, models: list[ModelRecord]) -> Run:
    return make(engine, models, range(6), {})


def test_each_stage_draws_with_its_model_its_words_and_noise_of_its_own(whole: Run) -> None:
    made = [(one.index, one.recipe.model, one.recipe.prompt, one.recipe.seed) for one in whole.pictures]
    assert made == [
        (0, "demo", "a red house", 7),
        (1, "demo", "a red house", 8),
        (2, "other", "a blue house", 9),
        (3, "other", "a blue house", 10),
        (4, "other", "a blue house", 11),
        (5, "other", "a blue house", 12),
    ]
    assert len(set(whole.digests)) == 6


def test_each_picture_is_made_of_its_own_one_before(whole: Run) -> None:
    recipes = [one.recipe for one in whole.pictures]
    assert [recipe.image for recipe in recipes] == [None, None, *(recipe.pixels for recipe in recipes[:4])]
    assert [recipe.strength for recipe in recipes] == [None, None, 0.7, 0.7, 1.0, 1.0]


def test_steps_and_previews_are_counted_over_the_whole(whole: Run) -> None:
    assert [step.image_index for step in whole.of(Step) if step.step == step.total] == list(range(6))
    assert {preview.image_index for preview in whole.of(Preview)} <= set(range(6))
    assert {step.seconds_left for step in whole.of(Step) if step.image_index < 5} == {None}
    assert whole.of(Step)[-1].seconds_left == 0


def test_a_chain_goes_on_in_the_middle_as_if_nothing_had_been(
    engine: Engine, models: list[ModelRecord], whole: Run
) -> None:
    made = {index: engine.keep(whole.pictures[index]) for index in (1, 2)}
    rest = make(engine, models, (3, 4, 5), made)
    assert rest.digests == whole.digests[3:]


def test_what_is_no_chain_is_drawn_as_ever(engine: Engine, demo: ModelRecord, whole: Run) -> None:
    request = CHAIN.model_copy(update={"then": ()})
    alone = Run()
    alone.pictures.extend(chained(engine, request, (demo,), (0, 1), {}, alone.events.append, lambda: False))
    assert alone.digests == whole.digests[:2]
    assert None not in {step.seconds_left for step in alone.of(Step)}
