"""ControlNets beside a loaded model, family by family with its real classes; and the net that ships with the demo."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from demo.controlnet.evaluate import WITHOUT, Setting, draw, draw_cases, load_pipeline, mean_iou
from pipeline.engine import Engine
from pipeline.engine import control as module
from pipeline.engine.control import Control, controlled
from pipeline.engine.extras import sha256_of
from pipeline.engine.load import Loaded
from pipeline.errors import InvalidRequest, ModelUnavailable
from pipeline.events import Picture
from pipeline.inputs import ControlUse, Task
from pipeline.models.control_fit import Net, read_net
from pipeline.models.controlnets import FAMILIES
from pipeline.models.registry import ModelRecord, Registry
from pipeline.pictures.store import InputStore
from pipeline.recipe import Recipe
from pipeline.request import GenerationRequest, parse_request
from tests.checkpoints.controlnets import controlnet
from tests.engine.test_families import tiny

Drawer = Callable[..., bytes]


@pytest.fixture(scope="module", params=FAMILIES)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    """The registry's record of a family that takes nets, with a tiny checkpoint as its source."""
    return tiny(request.param, tmp_path_factory.mktemp("control"))


@pytest.fixture(scope="module")
def nets(record: ModelRecord, cache: Path) -> list[Net]:
    """Two nets for the model, in the folder of one's own."""
    root = cache / "weights" / "controlnet" / record.family
    places = [controlnet(record.family, Path(record.source), root / name, seed) for seed, name in enumerate("ab")]
    return [read_net(place, place.name) for place in places]


@pytest.fixture
def loaded(engine: Engine, record: ModelRecord) -> Loaded:
    return _loaded(engine, record)


@pytest.fixture
def drawn(loaded: Loaded) -> Drawer:
    """The pixels that the model makes, always of the same words and seed, with nets or without."""

    def go(controls: Sequence[Control] = ()) -> bytes:
        if not controls:
            return _called(loaded, loaded.pipeline, {})
        with controlled(loaded, controls) as guided:
            pipeline = guided.pipeline("text")
            maps = [image.resize(loaded.record.size.native) for image in guided.maps]
            return _called(loaded, pipeline, guided.arguments(pipeline, maps))

    return go


def _loaded(engine: Engine, record: ModelRecord) -> Loaded:
    engine.load(record, GenerationRequest(prompt="-"), lambda _: None)
    assert engine._loaded is not None
    return engine._loaded


def _drawn(engine: Engine, record: ModelRecord, request: GenerationRequest) -> list[Picture]:
    return list(engine.generate(request, record, range(request.num_images), lambda _: None, lambda: False))


def _called(loaded: Loaded, pipeline: Any, given: dict[str, Any]) -> bytes:
    record = loaded.record
    width, height = record.size.native
    usual = {
        "prompt": "a red house",
        "num_inference_steps": 4,
        "width": width,
        "height": height,
        record.guidance.argument: record.guidance.default,
        **record.arguments,
    }
    accepted = inspect.signature(pipeline.__call__).parameters
    pipeline.scheduler = copy.deepcopy(loaded.scheduler)
    arguments = {name: value for name, value in usual.items() if name in accepted} | given
    picture = pipeline(**arguments, generator=torch.Generator().manual_seed(3)).images[0]
    assert picture.size == record.size.native
    return bytes(picture.convert("RGB").tobytes())


def sketch(seed: int = 0) -> Image.Image:
    """A map of random white dots on black."""
    dots = np.random.default_rng(seed).random((64, 64, 1)) > 0.7
    return Image.fromarray((dots * 255).astype(np.uint8).repeat(3, 2))


def test_a_map_changes_the_picture_and_another_map_changes_it_otherwise(drawn: Drawer, nets: list[Net]) -> None:
    one, other = (drawn([Control(nets[0], sketch(seed))]) for seed in (0, 1))
    assert len({drawn(), one, other}) == 3


def test_at_scale_0_the_picture_is_the_one_without_a_map(drawn: Drawer, nets: list[Net]) -> None:
    assert drawn([Control(nets[0], sketch(), scale=0.0)]) == drawn()


def test_half_of_the_steps_make_another_picture_than_all_where_that_can_be_said(
    record: ModelRecord, drawn: Drawer, nets: list[Net]
) -> None:
    whole, half = (drawn([Control(nets[0], sketch(), end=end)]) for end in (1.0, 0.5))
    assert (half != whole) == FAMILIES[record.family].timed


def test_several_nets_add_up_where_that_is_possible(record: ModelRecord, drawn: Drawer, nets: list[Net]) -> None:
    both = [Control(nets[0], sketch()), Control(nets[1], sketch(1), scale=0.5)]
    if not FAMILIES[record.family].several:
        with pytest.raises(InvalidRequest, match="one map at a time"):
            drawn(both)
        return
    silent = [both[0], Control(nets[1], sketch(1), scale=0.0)]
    assert drawn(both) not in {drawn(both[:1]), drawn()}
    assert drawn(silent) == drawn(both[:1])


@pytest.mark.parametrize("task", ["text", "image", "inpaint"])
def test_a_request_with_a_map_is_drawn_in_every_task_that_the_family_has_and_its_recipe_makes_it_again(
    engine: Engine, record: ModelRecord, nets: list[Net], cache: Path, task: Task
) -> None:
    inputs, family = InputStore(cache / "inputs"), FAMILIES[record.family]
    use = {"net": f"{record.family}/{nets[0].name}", "image": inputs.put(sketch()), "scale": 0.8}
    given: dict[str, Any] = {"image": inputs.put(Image.new("RGB", (64, 64), "red"))} if task != "text" else {}
    if task == "inpaint":
        mask = Image.new("L", (64, 64))
        mask.paste(255, (8, 8, 40, 56))
        given |= {"mask": inputs.put(mask), "mask_area": "masked"}
    free = parse_request(prompt="a red house", seed=3, num_inference_steps=4, **given)
    request = free.model_copy(update={"controls": (ControlUse(**use),)})
    if task not in family.pipelines:
        with pytest.raises(InvalidRequest, match="from words alone"):
            _drawn(engine, record, request)
        return
    before, [made] = _drawn(engine, record, free), _drawn(engine, record, request)
    assert made.recipe.controls[0].sha256 == sha256_of(nets[0].folder / nets[0].files[0])
    again = Recipe.from_json(made.recipe.model_dump_json()).to_request(num_images=2, seed=2)
    assert _drawn(engine, record, again)[1].rgb == made.rgb
    assert _drawn(engine, record, free)[0].rgb == before[0].rgb != made.rgb


def test_the_net_computes_as_the_denoiser_does(loaded: Loaded, nets: list[Net]) -> None:
    with controlled(loaded, [Control(nets[0], sketch())]) as guided:
        pipeline = guided.pipeline("text")
        denoiser = getattr(pipeline, FAMILIES[loaded.record.family].denoiser)
        assert pipeline.controlnet.dtype == denoiser.dtype
        assert denoiser is getattr(loaded.pipeline, FAMILIES[loaded.record.family].denoiser)


@pytest.fixture
def never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(module, "read_component", fail)


@pytest.fixture(scope="module")
def sd3_net(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return controlnet("sd3", tiny_checkpoint, tmp_path_factory.mktemp("nets") / "sd3")


def refused(engine: Engine, record: ModelRecord, net: Net) -> str:
    with pytest.raises(InvalidRequest) as caught, controlled(_loaded(engine, record), [Control(net, sketch())]):
        pass
    assert caught.value.info.field == "controls"
    assert caught.value.info.remedy
    return caught.value.info.message


@pytest.mark.usefixtures("never_read")
def test_a_net_of_another_family_is_refused_before_its_weights_are_read(
    engine: Engine, sd3_net: Path, tmp_path: Path
) -> None:
    message = refused(engine, tiny("sd15", tmp_path), read_net(sd3_net, "alien"))
    assert (
        message == "The ControlNet “alien” is a SD3ControlNetModel, and Stable Diffusion 1.5 takes a ControlNetModel."
    )


@pytest.mark.usefixtures("never_read")
def test_a_net_of_another_width_is_refused_before_its_weights_are_read(engine: Engine, demo: ModelRecord) -> None:
    shipped = read_net(Path("demo/controlnet"), "demo-canny")
    message = refused(engine, demo, shipped)
    assert message.startswith(f"The ControlNet “demo-canny” does not fit {demo.name}: its num_attention_heads is 3,")


@pytest.mark.usefixtures("never_read")
def test_a_family_without_nets_says_so(engine: Engine, sd3_net: Path, tmp_path: Path) -> None:
    record = tiny("lumina", tmp_path)
    assert "has no ControlNet pipeline" in refused(engine, record, read_net(sd3_net, "alien"))


def test_a_net_that_lacks_weights_is_not_used_with_random_ones(
    engine: Engine, demo: ModelRecord, sd3_net: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(sd3_net / "diffusion_pytorch_model.safetensors")
    del tensors["controlnet_blocks.0.weight"]
    save_file(tensors, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text((sd3_net / "config.json").read_text())
    loaded, net = _loaded(engine, demo), read_net(tmp_path, "torn")
    with (
        pytest.raises(ModelUnavailable, match=r"controlnet_blocks\.0\.weight"),
        controlled(loaded, [Control(net, sketch())]),
    ):
        pass


def test_the_shipped_net_follows_edges_that_no_words_tell() -> None:
    cases, pipeline = draw_cases(4), load_pipeline()
    guided, free = (
        mean_iou(draw(pipeline, cases, setting, words="a picture", steps=8), cases) for setting in (Setting(), WITHOUT)
    )
    assert guided > free + 0.1


def test_the_shipped_net_goes_with_the_demo_by_the_one_way(engine: Engine) -> None:
    record, [case] = Registry.read().find("demo"), draw_cases(1)
    control = Control(read_net(Path("demo/controlnet"), "demo-canny"), case.edges)
    loaded = _loaded(engine, record)
    with controlled(loaded, [control]) as guided:
        pipeline = guided.pipeline("text")
        with_map = _called(loaded, pipeline, guided.arguments(pipeline, guided.maps))
    assert with_map != _called(loaded, loaded.pipeline, {})
