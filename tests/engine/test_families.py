"""Every family goes the one way, with its real classes: loaded, quantised, placed, drawn, and remembered.

Tests run family by family, so that each checkpoint is loaded a few times only. What is particular to one family is at
the end, and in test_families_dit.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline.engine import Engine, GenerationCancelled
from pipeline.errors import EngineFailed
from pipeline.events import Event, Loading, Preview, Step, Warned
from pipeline.models.registry import ModelRecord, Registry
from pipeline.recipe import Recipe
from pipeline.request import parse_request
from tests.checkpoints import (
    FACTORIES,
    REGISTERED,
    SD35,
    family_record,
    record_for,
    sd15_checkpoint,
    sdxl_turbo_checkpoint,
)
from tests.checkpoints.big import big_checkpoint
from tests.checkpoints.pixart import pixart_sigma_checkpoint
from tests.engine.conftest import BFLOAT16, Run

Runner = Callable[..., Run]

DENOISERS = ("transformer", "unet", "decoder", "prior_prior")
EMBEDDED = {"flux"}
"""Families that were taught guidance, and so need no second pass for it."""
DEAF = {"flux", "unidiffuser"}
"""Families that no negative prompt reaches."""
OTHER_STAGE = {"kandinsky22": 2, "cascade": 2}
"""Steps of the stage that the request says nothing about."""
MORE = {"sd15": 1}
"""Steps that a scheduler adds: PNDM does its first one twice."""


@pytest.fixture(scope="module", params=FACTORIES)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    """The registry's record of a family, with a tiny checkpoint as its source."""
    return tiny(request.param, tmp_path_factory.mktemp("families"))


def tiny(family: str, folder: Path, **changes: Any) -> ModelRecord:
    FACTORIES[family](folder / "tiny")
    return family_record(family, folder / "tiny", **changes)


@contextmanager
def computed(engine: Engine) -> Iterator[list[int]]:
    """Collects the batch size of each call of the last stage's denoiser."""
    pipeline = engine._loaded.pipeline
    name = next(name for name in DENOISERS if name in pipeline.components)
    rows: list[int] = []

    def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        first = args[0] if args else kwargs.get("hidden_states", kwargs.get("sample"))
        rows.append(len(first))

    handle = pipeline.components[name].register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield rows
    finally:
        handle.remove()


def models(engine: Engine) -> list[torch.nn.Module]:
    return [part for part in engine._loaded.pipeline.components.values() if isinstance(part, torch.nn.Module)]


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


def test_the_registry_names_every_family() -> None:
    assert {model.family for model in Registry.read().records} == set(FACTORIES)


@pytest.fixture(scope="module")
def base(engine: Engine, record: ModelRecord) -> Run:
    """Three steps of a red house, seed 7: the first thing that a family does."""
    made, request = Run(), parse_request(prompt="a red house", seed=7, num_inference_steps=3)
    made.pictures.extend(engine.generate(request, record, [0], made.events.append, lambda: False))
    return made


def test_loading_names_every_component(base: Run, engine: Engine) -> None:
    components = engine._loaded.pipeline.components
    named = [event.component for event in base.of(Loading)]
    assert named == [*sorted(name for name in components if components[name] is not None), "pipeline"]
    assert [event.done for event in base.of(Loading)] == list(range(len(named)))


def test_a_picture_has_its_size_and_a_recipe_that_makes_it_again(base: Run, run: Runner, record: ModelRecord) -> None:
    [picture] = base.pictures
    recipe = Recipe.from_json(picture.recipe.model_dump_json())
    assert (recipe.width, recipe.height) == record.size.native
    assert len(picture.rgb) == recipe.width * recipe.height * 3
    assert len(set(picture.rgb)) > 20
    assert (recipe.model, recipe.seed, recipe.prompt) == (record.id, 7, "a red house")
    assert recipe.model_revision.count("sha256:") == 1 + len(record.parts)
    assert recipe.arguments == record.arguments
    assert set(record.components) <= set(recipe.components)
    assert all(use.parameters and use.bytes_after == use.bytes_before for use in recipe.components.values())
    assert recipe.scheduler_config
    assert run(record, **recipe.to_request().model_dump()).digests == base.digests


def test_steps_really_run_and_each_is_told(base: Run, run: Runner, engine: Engine, record: ModelRecord) -> None:
    pictures = list(base.digests)
    for steps in (2, 4):
        with computed(engine) as rows:
            made = run(record, num_inference_steps=steps)
        own = steps + MORE.get(record.family, 0)
        counted = OTHER_STAGE["cascade"] if record.family == "cascade" else own
        assert sum(rows) == counted * (1 if record.family in EMBEDDED | {"cascade"} else 2)
        total = own + OTHER_STAGE.get(record.family, 0)
        assert [(event.step, event.total) for event in made.of(Step)] == [(step, total) for step in range(1, total + 1)]
        assert made.of(Step)[-1].seconds_left == 0
        assert made.pictures[0].recipe.num_inference_steps == steps
        pictures += made.digests
    assert len(set(pictures)) == 3


def test_guidance_reaches_the_denoiser(base: Run, run: Runner, record: ModelRecord) -> None:
    strong = run(record, guidance_scale=record.guidance.max)
    assert strong.digests != base.digests
    assert strong.pictures[0].recipe.guidance_scale == record.guidance.max


def test_guidance_of_one_saves_the_second_pass_and_the_negative_prompt(
    base: Run, run: Runner, engine: Engine, record: ModelRecord
) -> None:
    with computed(engine) as rows:
        one = run(record, guidance_scale=1.0, negative_prompt="a blue sea")
        zero = run(record, guidance_scale=0.0)
    assert set(rows) == {1}
    assert one.pictures[0].recipe.negative_prompt == ""
    assert (one.digests == zero.digests) == (record.family not in EMBEDDED)
    assert one.digests != base.digests


def test_a_negative_prompt_counts_only_where_the_family_takes_it(base: Run, run: Runner, record: ModelRecord) -> None:
    negative = run(record, negative_prompt="a blue sea")
    assert (negative.digests == base.digests) == (record.family in DEAF)
    assert negative.pictures[0].recipe.negative_prompt == ("" if record.family in DEAF else "a blue sea")
    request = parse_request(prompt="a red house", negative_prompt="a blue sea")
    assert bool(record.ignored(request)) == (record.family in DEAF)


def test_a_picture_depends_on_its_own_seed_alone(base: Run, run: Runner, record: ModelRecord) -> None:
    third, first = run(record, indices=(2, 0), num_images=3).digests
    assert [first] == base.digests
    assert [third] == run(record, seed=9).digests != base.digests


def test_cancelling_stops_within_one_step_and_leaves_no_trace(
    base: Run, run: Runner, engine: Engine, record: ModelRecord
) -> None:
    events: list[Event] = []
    last = OTHER_STAGE.get(record.family, 0) + 2

    def steps() -> int:
        return sum(isinstance(event, Step) for event in events)

    request = parse_request(prompt="a red house", seed=7, num_inference_steps=30)
    with pytest.raises(GenerationCancelled), computed(engine) as rows:
        list(engine.generate(request, record, [0], events.append, lambda: steps() >= last))
    assert steps() == last
    assert sum(rows) <= 2 * (last + 1)
    assert run(record).digests == base.digests


def test_previews_are_jpegs_of_the_picture_s_shape(base: Run, run: Runner, record: ModelRecord) -> None:
    width, height = record.size.native
    width *= 1 if record.family == "unidiffuser" else 2  # which draws squares only
    previews = [opened(event.jpeg) for event in run(record, width=width, height=height).of(Preview)]
    assert previews
    for preview in previews:
        assert preview.width * height == preview.height * width
        assert preview.width >= 2


def test_a_prompt_beyond_the_family_s_reach_is_warned_about(base: Run, run: Runner, record: ModelRecord) -> None:
    assert base.of(Warned) == []
    [warning] = run(record, prompt="a red house " * 120, num_inference_steps=2).of(Warned)
    assert f"{record.name} reads " in warning.message


def test_four_bits_on_what_the_record_names_shrink_it_and_still_draw(
    base: Run, run: Runner, record: ModelRecord
) -> None:
    made = run(record, quantization="nf4", indices=(1, 0), num_images=2)
    recipe = made.pictures[0].recipe
    quantised = {name for name, use in recipe.components.items() if use.quantization == "nf4"}
    assert quantised == set(record.nf4)
    assert recipe.quantization == ("nf4" if record.nf4 else "none")
    for name in quantised:
        use = recipe.components[name]
        assert use.bytes_after < 0.8 * use.bytes_before
        assert use.parameters == base.pictures[0].recipe.components[name].parameters
    assert (made.digests[1] == base.digests[0]) == (not quantised)
    assert all(len(set(picture.rgb)) > 20 for picture in made.pictures)
    assert run(record, quantization="nf4").digests == made.digests[1:]


@pytest.mark.parametrize("family", ["sd15", "flux", "kandinsky22"])
def test_the_old_model_is_gone_before_the_next_is_loaded(
    run: Runner, engine: Engine, demo: ModelRecord, tmp_path: Path, family: str
) -> None:
    run(tiny(family, tmp_path))
    held = [weakref.ref(part) for part in (engine._loaded.pipeline, *models(engine))]
    alive: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, Loading):
            alive.append(sum(reference() is not None for reference in held))

    list(engine.generate(parse_request(prompt="a red house", num_inference_steps=1), demo, [0], look, bool))
    assert set(alive) == {0}


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., ModelRecord]:
    """Makes a tiny record of a family in this test's own folder."""
    return lambda family, **changes: tiny(family, tmp_path, **changes)


@pytest.fixture
def strict(tmp_path: Path) -> ModelRecord:
    """Stable Diffusion 1.5 with a safety checker that lets nothing pass."""
    return family_record("sd15", sd15_checkpoint(tmp_path / "strict", strict=True))


def test_a_picture_that_the_safety_checker_blanks_is_an_error_and_not_black(run: Runner, strict: ModelRecord) -> None:
    with pytest.raises(EngineFailed, match="safety checker took the picture of seed 7") as caught:
        run(strict)
    assert "another seed" in caught.value.info.remedy


def test_blanked_pictures_do_not_take_the_others_with_them(
    run: Runner, engine: Engine, strict: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineFailed):
        run(strict)
    checker = engine._loaded.pipeline.safety_checker
    weights = iter([1.0, -2.0, 1.0])

    def milder(*args: Any) -> None:
        checker.concept_embeds_weights.data.fill_(next(weights))

    handle = checker.register_forward_pre_hook(milder)
    made = run(strict, indices=range(3), num_images=3)
    handle.remove()
    assert [picture.index for picture in made.pictures] == [0, 2]
    [warning] = made.of(Warned)
    assert "seed 8" in warning.message


def test_sdxl_turbo_draws_with_guidance_zero_and_noise_of_its_own(run: Runner, tmp_path: Path) -> None:
    turbo = Registry.read().find("stabilityai/sdxl-turbo")
    base = family_record("sdxl", sdxl_turbo_checkpoint(tmp_path / "turbo"))
    record = turbo.model_copy(update={"source": base.source, "size": base.size})
    made = run(record, num_inference_steps=None)
    assert (made.pictures[0].recipe.guidance_scale, len(made.of(Step))) == (0.0, turbo.steps.default)
    assert made.digests == run(record, num_inference_steps=None).digests
    assert made.digests == run(record, num_inference_steps=None, guidance_scale=1.0).digests
    assert made.digests != run(record, num_inference_steps=None, guidance_scale=2.0).digests


def test_a_watermark_is_never_added(run: Runner, engine: Engine, shop: Callable[..., ModelRecord]) -> None:
    run(shop("sdxl"))
    assert engine._loaded.pipeline.watermark is None


def test_another_scheduler_draws_another_picture_and_leaves_no_trace(
    run: Runner, shop: Callable[..., ModelRecord]
) -> None:
    record = shop("sd15")
    own = run(record)
    made = run(record, scheduler="EulerDiscreteScheduler")
    assert made.digests != own.digests
    assert made.pictures[0].recipe.scheduler == "EulerDiscreteScheduler"
    assert made.of(Preview)
    assert run(record).digests == own.digests


def test_a_part_may_be_a_single_component_of_another_repository(run: Runner, engine: Engine, tmp_path: Path) -> None:
    whole, other = FACTORIES["pixart-sigma"](tmp_path / "whole"), tmp_path / "other"
    pixart_sigma_checkpoint(other, seed=5)
    plain = family_record("pixart-sigma", whole)
    mixed = family_record("pixart-sigma", whole, parts={"transformer": str(other)})
    assert run(mixed).digests != run(plain).digests
    run(mixed)
    weight = engine._loaded.pipeline.transformer.proj_out.weight.clone()
    run(family_record("pixart-sigma", other))
    assert torch.equal(engine._loaded.pipeline.transformer.proj_out.weight, weight)


def test_a_repository_of_a_single_component_needs_no_index(run: Runner, tmp_path: Path) -> None:
    whole, alone = FACTORIES["pixart-sigma"](tmp_path / "whole"), tmp_path / "alone"
    shutil.copytree(whole / "transformer", alone / "transformer")
    mixed = family_record("pixart-sigma", whole, parts={"transformer": str(alone)})
    assert run(mixed).digests == run(family_record("pixart-sigma", whole)).digests


def test_weights_that_unidiffuser_shares_need_not_be_stored_twice(
    run: Runner, shop: Callable[..., ModelRecord]
) -> None:
    record = shop("unidiffuser")
    whole = run(record)
    file = Path(record.source) / "text_decoder" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["transformer.lm_head.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    again = run(record.model_copy(update={"id": "again"}))
    assert again.digests == whole.digests
    assert again.pictures[0].recipe.components["text_decoder"].parameters


def test_components_may_have_dtypes_of_their_own(run: Runner, shop: Callable[..., ModelRecord]) -> None:
    components = run(shop("sana")).pictures[0].recipe.components
    assert {name: use.dtype for name, use in components.items()} == {
        "transformer": "float32",  # float16 on a GPU
        "text_encoder": BFLOAT16,
        "vae": BFLOAT16,
    }


def test_stable_cascade_makes_multiples_of_128_exactly(run: Runner, shop: Callable[..., ModelRecord]) -> None:
    [picture] = run(shop("cascade"), width=256, height=128).pictures
    assert (picture.recipe.width, picture.recipe.height) == (256, 128)


def test_kandinsky_makes_multiples_of_64_exactly(run: Runner, shop: Callable[..., ModelRecord]) -> None:
    [picture] = run(shop("kandinsky22"), width=192, height=128).pictures
    assert (picture.recipe.width, picture.recipe.height) == (192, 128)


def test_a_released_model_s_memory_goes_back_to_the_system_every_time(tmp_path: Path) -> None:
    record = record_for(big_checkpoint(tmp_path / "big", 20_000_000), SD35, variant="")
    script = (
        "import sys; from pathlib import Path; import psutil; from pipeline.engine import Engine\n"
        "from pipeline.models.registry import ModelRecord; from pipeline.request import parse_request\n"
        "record = ModelRecord.model_validate_json(sys.argv[1])\n"
        "request = parse_request(prompt='a red house', num_inference_steps=1)\n"
        "engine = Engine(Path(sys.argv[2]))\n"
        "for _ in range(3):\n"
        "    list(engine.generate(request, record, [0], lambda event: None, lambda: False))\n"
        "    print(sum(use.bytes_after for use in engine._loaded.components.values()))\n"
        "    print(psutil.Process().memory_info().rss); engine.release(); print(psutil.Process().memory_info().rss)"
    )
    command = [sys.executable, "-c", script, record.model_dump_json(), str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = [int(figure) for figure in answer.stdout.split()]
    weights, held, free = figures[::3], figures[1::3], figures[2::3]
    for loaded, released, size in zip(held, free, weights, strict=True):
        assert loaded - released > 0.9 * size
    assert free[2] - free[1] < 0.1 * weights[0], "no round leaves anything behind"


def test_every_family_has_a_record_of_its_own() -> None:
    assert {Registry.read().find(name).family for name in REGISTERED.values()} == set(REGISTERED)
