"""Pictures depend on their recipe and on nothing else, and stop when asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine import Engine, GenerationCancelled
from pipeline.errors import InvalidRequest
from pipeline.events import Picture, Preview, Step, Warned
from pipeline.models.registry import ModelRecord
from pipeline.recipe import Recipe
from pipeline.request import parse_request
from tests.engine.conftest import Run

Runner = Callable[..., Run]


def test_same_seed_gives_the_same_bytes_and_another_seed_other_bytes(run: Runner) -> None:
    first, again, other = run(), run(), run(seed=8)
    assert first.pictures[0].rgb == again.pictures[0].rgb
    assert first.digests == again.digests != other.digests


def test_a_picture_is_the_same_alone_among_four_and_in_another_order(run: Runner) -> None:
    four = run(indices=range(4), num_images=4)
    assert len(set(four.digests)) == 4
    assert run(indices=(3, 1), num_images=4).digests == [four.digests[3], four.digests[1]]
    assert run(seed=9).digests == [four.digests[2]]
    assert [picture.recipe.seed for picture in four.pictures] == [7, 8, 9, 10]


def test_what_ran_before_leaves_no_trace(run: Runner, sd35: ModelRecord) -> None:
    before = run().digests
    run(seed=99, num_inference_steps=5, guidance_scale=1.0)
    run(record=sd35)
    assert run().digests == before


def test_a_new_process_makes_the_same_bytes(run: Runner, demo: ModelRecord, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.engine import Engine\n"
        "from pipeline.models.registry import ModelRecord; from pipeline.request import parse_request\n"
        "record = ModelRecord.model_validate_json(sys.argv[1])\n"
        "request = parse_request(prompt='a red house', seed=6, num_inference_steps=3)\n"
        "pictures = Engine(Path(sys.argv[2])).generate(request, record, [1], lambda event: None, lambda: False)\n"
        "print([picture.recipe.sha256 for picture in pictures][0])"
    )
    command = [sys.executable, "-c", script, demo.model_dump_json(), str(tmp_path)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=one_thread)
    assert answer.stdout.split() == run().digests
    assert answer.stderr == ""


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_number_of_steps_reaches_the_pipeline(run: Runner, engine: Engine, steps: int) -> None:
    made = run(num_inference_steps=steps)
    assert [(event.step, event.total) for event in made.of(Step)] == [(step, steps) for step in range(1, steps + 1)]
    assert engine._loaded.pipeline.num_timesteps == steps
    assert made.pictures[0].recipe.num_inference_steps == steps
    assert made.digests != run(num_inference_steps=3).digests


def test_guidance_reaches_the_pipeline_and_zero_is_a_value(run: Runner, engine: Engine) -> None:
    default, zero, strong = run(), run(guidance_scale=0.0), run(guidance_scale=8.5)
    assert engine._loaded.pipeline.guidance_scale == 8.5
    own = engine._loaded.record.guidance.default
    assert [made.pictures[0].recipe.guidance_scale for made in (default, zero, strong)] == [own, 0.0, 8.5]
    assert len({made.digests[0] for made in (default, zero, strong)}) == 3


def test_a_negative_prompt_counts_where_the_model_takes_it(run: Runner, demo: ModelRecord) -> None:
    plain, negative = run(), run(negative_prompt="rain")
    assert negative.digests != plain.digests
    deaf = demo.model_copy(update={"negative_prompt": False})
    ignored = run(record=deaf, negative_prompt="rain")
    assert ignored.digests == plain.digests
    assert ignored.pictures[0].recipe.negative_prompt == ""


def test_the_arguments_of_the_record_reach_the_pipeline(run: Runner, demo: ModelRecord) -> None:
    shorter = run(record=demo.model_copy(update={"arguments": {"max_sequence_length": 4}}))
    assert shorter.pictures[0].recipe.arguments == {"max_sequence_length": 4}
    assert shorter.digests != run().digests


def test_size_is_the_wish_or_the_native_one(run: Runner) -> None:
    native, wide = run().pictures[0], run(width=128, height=64).pictures[0]
    assert (native.recipe.width, native.recipe.height, len(native.rgb)) == (64, 64, 64 * 64 * 3)
    assert (wide.recipe.width, wide.recipe.height, len(wide.rgb)) == (128, 64, 128 * 64 * 3)


def test_the_recipe_is_complete_and_makes_the_picture_again(run: Runner) -> None:
    made = run(indices=(2,), negative_prompt="rain")
    recipe = Recipe.from_json(made.pictures[0].recipe.model_dump_json())
    assert recipe.model == "demo"
    assert recipe.model_revision.startswith("sha256:")
    assert recipe.scheduler == "FlowMatchEulerDiscreteScheduler"
    assert recipe.scheduler_config["shift"] == 3.0
    assert (recipe.quantization, recipe.offload, recipe.dtype) == ("none", "none", "float32")
    assert recipe.device.startswith("cpu (")
    assert {"python", "torch", "diffusers", "transformers", "accelerate", "bitsandbytes"} <= set(recipe.versions)
    assert set(recipe.components) == {"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"}
    assert recipe.seconds > 0
    assert run(**recipe.to_request().model_dump()).digests == made.digests


def test_the_expected_rest_counts_down_to_nothing(run: Runner) -> None:
    left = [event.seconds_left for event in run(indices=range(2), num_images=2).of(Step)]
    assert left[-1] == 0
    assert all(seconds > 0 for seconds in left[:-1])


def test_previews_are_small_jpegs(run: Runner) -> None:
    previews = run().of(Preview)
    assert previews
    assert all(event.jpeg.startswith(b"\xff\xd8\xff") for event in previews)


@pytest.mark.parametrize("stop_after", [0, 1, 4])
def test_cancelling_stops_within_one_step(engine: Engine, demo: ModelRecord, run: Runner, stop_after: int) -> None:
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=20)
    events: list[object] = []

    def steps() -> int:
        return sum(isinstance(event, Step) for event in events)

    pictures = engine.generate(request, demo, [0], events.append, lambda: steps() >= stop_after)
    with pytest.raises(GenerationCancelled):
        next(pictures)
    assert steps() == stop_after
    assert run().pictures


def test_pictures_made_before_a_cancel_are_delivered(engine: Engine, demo: ModelRecord) -> None:
    request = parse_request(prompt="a red house", seed=7, num_inference_steps=2, num_images=4)
    made: list[Picture] = []
    pictures = engine.generate(request, demo, range(4), lambda event: None, lambda: len(made) == 2)
    with pytest.raises(GenerationCancelled):
        made.extend(pictures)
    assert [picture.index for picture in made] == [0, 1]


def test_the_model_s_own_scheduler_may_be_named(run: Runner) -> None:
    assert run(scheduler="FlowMatchEulerDiscreteScheduler").digests == run().digests


@pytest.mark.parametrize("name", ["DDIMScheduler", "NoSuchScheduler", "os"])
def test_another_scheduler_is_refused_with_the_possible_ones(run: Runner, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}.*Possible: FlowMatchEulerDiscreteScheduler") as caught:
        run(scheduler=name)
    assert caught.value.info.field == "scheduler"


def test_a_prompt_that_fits_is_not_warned_about(run: Runner) -> None:
    assert run(prompt="a red house").of(Warned) == []


def test_a_prompt_that_is_too_long_is_warned_about_once_with_what_is_cut(run: Runner) -> None:
    [warning] = run(prompt="a red house " * 4, indices=range(2), num_images=2).of(Warned)
    assert warning.message == (
        "The prompt has 48 tokens and Darkroom demo reads 31: the last 17 are ignored, “house a red house”."
    )
