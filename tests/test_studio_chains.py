"""Chains the whole way: one job, a picture for each stage, taken up after a restart, made again from the last file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, UnknownModel
from pipeline.events import Saved, Step
from pipeline.gallery.metadata import read_recipe
from pipeline.request import parse_request
from pipeline.settings import Settings
from pipeline.studio import Studio
from tests.conftest import tiny_settings
from tests.test_studio import wait_for

THEN = [{"model": "plain", "prompt": "a blue house", "strength": 0.8, "num_inference_steps": 3}]
CHAIN = {"prompt": "a red house", "num_inference_steps": 2, "seed": 3}


def test_one_job_makes_a_picture_in_each_stage_and_each_knows_the_one_before(studio: Studio) -> None:
    images = studio.generate(**CHAIN, num_images=2, then=THEN)
    assert [(one.index, one.recipe.model, one.seed) for one in images] == [
        (0, "tiny", 3),
        (1, "tiny", 4),
        (2, "plain", 5),
        (3, "plain", 6),
    ]
    assert [studio.gallery.parent(one) for one in images] == [None, None, images[0], images[1]]
    assert len({one.job_id for one in images}) == 1


def test_a_chain_is_made_again_from_its_last_file_alone(studio: Studio, tmp_path: Path, tiny_checkpoint: Path) -> None:
    last = studio.generate(**CHAIN, then=[*THEN, {"strength": 0, "upscale": {"factor": 2}}])[-1]
    assert last.path is not None
    recipe = read_recipe(last.path)
    assert recipe is not None
    with Studio(tiny_settings(tmp_path, tiny_checkpoint)) as other:
        [again] = other.replay(recipe).result()
    assert again.recipe.sha256 == last.recipe.sha256


def test_a_chain_goes_on_after_a_restart_where_it_was(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    long = {"strength": 1, "num_inference_steps": 60}
    with Studio(settings, persistent=True) as before:
        job = before.submit(parse_request(**CHAIN, then=[long, THEN[0]]))
        first = wait_for(job, Saved)
        wait_for(job, Step)
    before.inputs.path(first.image.recipe.pixels).unlink()  # as if it had been cleaned away
    with Studio(settings, persistent=True) as after:
        images = after.job(job.id).result()
        assert images[0].id == first.image.id
        assert [one.index for one in images] == [0, 1, 2]
        again = after.generate(**CHAIN, then=[long, THEN[0]])
    assert [one.recipe.sha256 for one in again] == [one.recipe.sha256 for one in images]


def test_what_a_stage_cannot_do_is_refused_before_anything_is_queued(studio: Studio) -> None:
    before = len(studio.jobs())
    cases = [
        ([{"model": "nowhere"}], UnknownModel, "Stage 2: There is no model named “nowhere”"),
        ([{}, {"width": 512}], InvalidRequest, "Stage 3: Tiny cannot make a picture"),
        ([{"strength": 0, "upscale": {"factor": 4}}] * 5, InvalidRequest, r"Stage \d: The picture would have"),
    ]
    for then, kind, sentence in cases:
        with pytest.raises(kind, match=sentence) as refused:
            studio.submit(parse_request(**CHAIN, then=then))
        assert refused.value.info.field == "then"  # type: ignore[attr-defined]
    assert len(studio.jobs()) == before
    assert studio.check(
        parse_request(**CHAIN, negative_prompt="rain", guidance_scale=3, then=[{"model": "plain"}])
    ) == ("Stage 2: Plain does not use a negative prompt; it is ignored.",)


def test_the_log_tells_the_models_of_a_chain_and_none_of_its_words(studio: Studio) -> None:
    job = studio.submit(parse_request(**CHAIN, then=THEN))
    job.result()
    told = "\n".join(line.text for line in studio.log(job.id))
    assert "then plain" in told
    assert "blue" not in told


def test_a_chain_takes_as_long_as_all_its_stages(studio: Studio) -> None:
    studio.generate(**CHAIN, then=THEN)
    alone, together = (
        studio.estimate(parse_request(**CHAIN, then=then)).seconds for then in ([], [{"num_inference_steps": 2}] * 3)
    )
    assert alone is not None
    assert together is not None
    assert together > alone
