"""Variations: noise between that of two seeds, for every family with its real classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.engine.noise import Seeds, generator_of, slerp
from pipeline.errors import EngineFailed
from pipeline.events import Picture
from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import FACTORIES, family_record, sd15_checkpoint
from tests.engine.conftest import Run

Runner = Callable[..., Run]

TOWARDS = {"variation_seed": 40}


@pytest.fixture(scope="module", params=FACTORIES)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    folder = tmp_path_factory.mktemp("variations") / "tiny"
    FACTORIES[request.param](folder)
    return family_record(request.param, folder)


def test_strength_0_is_the_seed_and_strength_1_is_the_other_one(run: Runner, record: ModelRecord) -> None:
    plain, other = run(record), run(record, seed=40)
    assert run(record, **TOWARDS, variation_strength=0.0).digests == plain.digests
    assert run(record, **TOWARDS, variation_strength=1.0).digests == other.digests != plain.digests


def test_a_variation_differs_the_more_the_stronger_it_is(run: Runner, record: ModelRecord) -> None:
    [plain] = run(record).pictures
    weak, strong = (run(record, **TOWARDS, variation_strength=share).pictures[0] for share in (0.03, 0.6))
    assert 0 < difference(plain, weak) < difference(plain, strong)


def test_a_variation_depends_on_its_own_seeds_alone_and_its_recipe_makes_it_again(
    run: Runner, record: ModelRecord
) -> None:
    third, first = run(record, **TOWARDS, variation_strength=0.3, indices=(2, 0), num_images=3).pictures
    assert [(one.recipe.seed, one.recipe.variation_seed) for one in (first, third)] == [(7, 40), (7, 42)]
    assert third.recipe.variation_strength == 0.3
    assert first.rgb != third.rgb
    for picture in (first, third):
        assert run(record, **picture.recipe.to_request().model_dump()).digests == [picture.recipe.sha256]


def test_what_a_scheduler_adds_at_each_step_is_mixed_too(run: Runner, tmp_path: Path) -> None:
    record = family_record("sdxl", FACTORIES["sdxl"](tmp_path / "tiny"))
    chance = {"record": record, "scheduler": "EulerAncestralDiscreteScheduler"}
    [plain], [other] = run(**chance).pictures, run(**chance, seed=40).pictures
    weak, whole = (run(**chance, **TOWARDS, variation_strength=share).pictures[0] for share in (0.03, 1.0))
    assert whole.rgb == other.rgb
    assert 0 < difference(plain, weak) < difference(plain, whole)


def test_a_picture_that_is_no_variation_says_so(run: Runner) -> None:
    recipe = run(**TOWARDS).pictures[0].recipe
    assert (recipe.seed, recipe.variation_seed, recipe.variation_strength) == (7, None, 0.0)


def test_weak_variations_of_the_demo_are_the_same_scene(run: Runner) -> None:
    demo = Registry.read().find("demo")
    scene = {"prompt": "a red sailboat on a lake at sunset", "num_inference_steps": 12, "seed": 7}
    [plain] = run(demo, **scene).pictures
    made = [run(demo, **scene, **TOWARDS, variation_strength=share).pictures[0] for share in (0.1, 0.2, 0.4, 1.0)]
    differences = [difference(plain, picture) for picture in made]
    assert differences == sorted(differences)
    assert differences[0] < 0.2 * differences[-1]


def test_a_blanked_variation_is_named_by_its_own_seed(run: Runner, tmp_path_factory: pytest.TempPathFactory) -> None:
    strict = family_record("sd15", sd15_checkpoint(tmp_path_factory.mktemp("strict") / "tiny", strict=True))
    with pytest.raises(EngineFailed, match="the picture of seed 40"):
        run(strict, **TOWARDS, variation_strength=0.2)


def test_halfway_between_two_noises_is_noise_of_the_same_length() -> None:
    first, second = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    middle = slerp(first, second, 0.5)
    assert middle.std().item() == pytest.approx(1, abs=0.02)
    assert torch.lerp(first, second, 0.5).std().item() == pytest.approx(0.707, abs=0.02)
    assert torch.dot(middle.flatten(), first.flatten()) == pytest.approx(
        torch.dot(middle.flatten(), second.flatten()).item(), rel=0.03
    )


def test_a_noise_mixed_with_itself_stays_as_it_is() -> None:
    noise = torch.randn(1, 4, 8, 8)
    assert torch.allclose(slerp(noise, noise.clone(), 0.3), noise)


def test_16_bits_are_mixed_without_loss_of_more_than_their_own() -> None:
    first, second = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    exact = slerp(first, second, 0.2)
    assert slerp(first.half(), second.half(), 0.2).dtype == torch.float16
    assert torch.allclose(slerp(first.half(), second.half(), 0.2).float(), exact, atol=5e-3)


def test_noise_from_other_generators_is_left_alone() -> None:
    with generator_of(Seeds(7, 40, 0.5)) as own:
        other = torch.randn(4, generator=torch.Generator().manual_seed(7))
        mixed = torch.randn(4, generator=own)
    plain = torch.randn(4, generator=torch.Generator().manual_seed(7))
    assert torch.equal(other, plain)
    assert not torch.equal(mixed, plain)


def difference(first: Picture, second: Picture) -> float:
    """Mean square difference of two pictures."""
    a, b = (np.frombuffer(picture.rgb, np.uint8).astype(np.float64) for picture in (first, second))
    return float(np.mean((a - b) ** 2))
