"""Working from pictures: every family whose record has the pipelines does it, with its real classes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.engine import Engine, GenerationCancelled
from pipeline.errors import InvalidRequest
from pipeline.events import Event, Picture, Preview, Step
from pipeline.inputs import Margins
from pipeline.models.registry import ROOT, ModelRecord, Registry
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe
from pipeline.request import parse_request
from tests.checkpoints import FACTORIES
from tests.engine.conftest import Run
from tests.engine.test_families import tiny

ABLE = [
    name for name in FACTORIES if any("image" in one.pipelines for one in Registry.read().records if one.family == name)
]


@pytest.fixture(scope="module", params=ABLE)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    """The registry's record of a family that works from pictures, with a tiny checkpoint as its source."""
    return tiny(request.param, tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def inputs(cache: Path) -> InputStore:
    return InputStore(cache / "inputs")


@pytest.fixture(scope="module")
def picture(record: ModelRecord) -> Image.Image:
    """Colours that run into each other, of the model's own size."""
    return gradient(record.size.native)


@pytest.fixture(scope="module")
def run(engine: Engine, record: ModelRecord) -> Callable[..., Run]:
    def go(**fields: Any) -> Run:
        request = parse_request(**{"prompt": "a red house", "seed": 7, "num_inference_steps": 4} | fields)
        made = Run()
        made.pictures.extend(engine.generate(request, record, [0], made.events.append, lambda: False))
        return made

    return go


def gradient(size: tuple[int, int]) -> Image.Image:
    across = np.linspace(0, 255, size[0])[None, :].repeat(size[1], 0)
    down = np.linspace(0, 255, size[1])[:, None].repeat(size[0], 1)
    return Image.fromarray(np.stack([across, down, 255 - across], -1).astype(np.uint8))


def middle(size: tuple[int, int]) -> Image.Image:
    """A mask that is white in the middle."""
    mask = Image.new("L", size)
    mask.paste(255, (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4))
    return mask


def pixels(picture: Picture) -> np.ndarray:
    size = picture.recipe.height, picture.recipe.width, 3
    return np.frombuffer(picture.rgb, np.uint8).reshape(size)


def differs(picture: Picture, before: Image.Image) -> np.ndarray:
    return (pixels(picture) != np.asarray(before)).any(axis=2)


def test_a_picture_is_changed_by_its_strength_and_the_same_way_again(
    run: Callable[..., Run], record: ModelRecord, inputs: InputStore, picture: Image.Image
) -> None:
    image = inputs.put(picture)
    made, again, more = run(image=image, strength=0.5), run(image=image, strength=0.5), run(image=image, strength=1)
    assert made.digests == again.digests != more.digests
    recipe = Recipe.from_json(made.pictures[0].recipe.model_dump_json())
    assert (recipe.width, recipe.height) == record.size.native
    assert (recipe.image, recipe.strength) == (image, 0.5)
    assert recipe.to_request().task == "image"
    assert made.of(Step)[-1].step == made.of(Step)[-1].total
    assert len(made.of(Step)) < len(more.of(Step))
    for event in made.of(Preview):
        Image.open(io.BytesIO(event.jpeg)).load()


def test_a_picture_of_another_shape_comes_to_the_size_that_is_asked_for(
    run: Callable[..., Run], record: ModelRecord, inputs: InputStore
) -> None:
    width, height = record.size.native
    image = inputs.put(gradient((width + 10, height // 2)))
    made = run(image=image, strength=0.5, width=width, height=height, fit="pad")
    assert len(made.pictures[0].rgb) == width * height * 3
    assert run(image=image, strength=0.5, width=width, height=height, fit="crop").digests != made.digests


def test_what_the_mask_leaves_free_stays_bit_by_bit(
    run: Callable[..., Run], record: ModelRecord, inputs: InputStore, picture: Image.Image
) -> None:
    if "inpaint" not in record.pipelines:
        pytest.skip("diffusers has no inpaint pipeline for its weights")
    mask = middle(picture.size)
    brought = {"image": inputs.put(picture), "mask": inputs.put(mask)}
    for area in ("whole", "masked"):
        [made] = run(**brought, mask_area=area).pictures
        changed = differs(made, picture)
        assert not changed[np.asarray(mask) == 0].any()
        assert changed[np.asarray(mask) == 255].mean() > 0.9


def test_a_picture_is_cancelled_between_two_steps(
    engine: Engine, record: ModelRecord, inputs: InputStore, picture: Image.Image
) -> None:
    request = parse_request(prompt="x", seed=1, num_inference_steps=6, image=inputs.put(picture), strength=1)
    steps: list[Step] = []

    def emit(event: Event) -> None:
        steps.extend([event] if isinstance(event, Step) else [])

    with pytest.raises(GenerationCancelled):
        list(engine.generate(request, record, [0], emit, lambda: len(steps) >= 2))
    assert len(steps) == 2


def test_a_picture_is_made_from_words_as_before_after_one_from_a_picture(
    run: Callable[..., Run], inputs: InputStore, picture: Image.Image
) -> None:
    before = run().digests
    run(image=inputs.put(picture), strength=0.5)
    assert run().digests == before


def test_variations_of_a_picture_have_noise_of_their_own(
    run: Callable[..., Run], inputs: InputStore, picture: Image.Image
) -> None:
    brought = {"image": inputs.put(picture), "strength": 1}
    varied = run(**brought, variation_strength=0.5, variation_seed=3).digests
    assert varied == run(**brought, variation_strength=0.5, variation_seed=3).digests != run(**brought).digests


class TestTheDemo:
    """The checkpoint that makes one size only."""

    @pytest.fixture
    def go(self, engine: Engine, demo: ModelRecord) -> Callable[..., Run]:
        def go(**fields: Any) -> Run:
            made, request = Run(), parse_request(**{"prompt": "x", "seed": 7, "num_inference_steps": 3} | fields)
            made.pictures.extend(engine.generate(request, demo, [0], made.events.append, lambda: False))
            return made

        return go

    @pytest.mark.parametrize(
        "margins", [{"left": 9}, {"top": 40}, {"right": 64, "bottom": 1}, {"left": 150, "bottom": 70}]
    )
    def test_any_side_is_extended_by_any_amount(
        self, go: Callable[..., Run], demo: ModelRecord, inputs: InputStore, margins: dict[str, int]
    ) -> None:
        picture = gradient(demo.size.native)
        whole = Margins(**margins)
        made = go(image=inputs.put(picture), outpaint=margins)
        [extended] = made.pictures
        width, height = picture.width + whole.left + whole.right, picture.height + whole.top + whole.bottom
        assert (extended.recipe.width, extended.recipe.height) == (width, height)
        kept = pixels(extended)[whole.top : whole.top + picture.height, whole.left : whole.left + picture.width]
        band = max(picture.size) // 16 + 1
        inside = np.s_[band:-band, band:-band]
        assert (kept[inside] == np.asarray(picture)[inside]).all()
        assert made.of(Step)[-1].step == made.of(Step)[-1].total == len(made.of(Step))

    def test_a_picture_is_enlarged_without_a_model(
        self, go: Callable[..., Run], engine: Engine, inputs: InputStore
    ) -> None:
        picture = gradient((40, 30))
        engine.release()
        [made] = go(image=inputs.put(picture), strength=0, upscale={"factor": 3}).pictures
        assert (pixels(made) == np.asarray(picture.resize((120, 90), Image.Resampling.LANCZOS))).all()
        assert engine.loaded is None
        assert made.recipe.to_request().task == "enlarge"

    def test_a_finished_picture_is_enlarged(self, go: Callable[..., Run], demo: ModelRecord) -> None:
        [small], [large] = go().pictures, go(upscale={"factor": 2}).pictures
        assert (large.recipe.width, large.recipe.height) == (2 * small.recipe.width, 2 * small.recipe.height)
        assert large.recipe.work_size == demo.size.native
        assert large.recipe.to_request().width == small.recipe.width


def test_the_demo_draws_over_an_enlarged_picture_with_what_was_trained_for_that(engine: Engine) -> None:
    record = Registry.read().find("demo")

    def make(**fields: Any) -> Picture:
        request = parse_request(prompt="a red house", seed=7, num_inference_steps=4, **fields)
        [made] = engine.generate(request, record, [0], lambda _: None, lambda: False)
        return made

    usual, enlarged = make(), make(upscale={"factor": 2})
    over, again = (make(upscale={"factor": 2, "strength": 0.5}) for _ in range(2))
    assert over.rgb == again.rgb != enlarged.rgb
    assert make().rgb == usual.rgb
    assert (over.recipe.width, over.recipe.height) == (512, 512)
    assert over.recipe.detail is not None
    assert over.recipe.detail.sha256 == hashlib.sha256((ROOT / record.detail).read_bytes()).hexdigest()
    assert enlarged.recipe.detail is None


def test_an_enlarged_picture_is_drawn_over_at_its_new_size_or_window_by_window(
    engine: Engine, sd35: ModelRecord
) -> None:
    side = sd35.size.native[0]
    base = {"prompt": "x", "seed": 7, "num_inference_steps": 4}
    for most in (2 * side, side):
        record = sd35.model_copy(update={"size": sd35.size.model_copy(update={"max": most, "min": side // 2})})
        request = parse_request(**base, upscale={"factor": 2, "strength": 0.5})
        made = Run()
        made.pictures.extend(engine.generate(request, record, [0], made.events.append, lambda: False))
        plain = parse_request(**base, upscale={"factor": 2})
        [alone] = engine.generate(plain, record, [0], lambda _: None, lambda: False)
        assert made.pictures[0].recipe.width == 2 * side
        assert made.pictures[0].rgb != alone.rgb
        assert made.of(Step)[-1].step == made.of(Step)[-1].total


@pytest.mark.parametrize("task", ["image", "inpaint"])
def test_a_family_without_the_pipeline_refuses_with_the_reason(task: str) -> None:
    record = Registry.read().find("pixart-sigma")
    picture = "a" * 64 + "-512x512"
    more = {"mask": picture} if task == "inpaint" else {}
    with pytest.raises(InvalidRequest, match="diffusers has no pipeline for that with its weights"):
        record.check(parse_request(prompt="x", image=picture, **more))


def test_a_strength_at_which_no_step_is_run_is_refused_before_anything_is_loaded() -> None:
    record = Registry.read().find("demo")
    request = parse_request(prompt="x", image="a" * 64 + "-256x256", strength=0.05, num_inference_steps=10)
    with pytest.raises(InvalidRequest, match=r"At strength 0\.05 none of 10 steps would be run"):
        record.check(request)
