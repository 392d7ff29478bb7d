"""What is pointed at in a picture, with tiny models of random weights: that points, pictures and masks go where they
belong. Whether a mask is a good one, only real weights could show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import SamModel
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from pipeline.engine import Engine, selector
from pipeline.engine.selector import Selector, device_for
from pipeline.errors import ModelUnavailable, NotFound
from pipeline.inputs import InputId, Selection
from pipeline.models.hardware import Device
from pipeline.models.registry import ModelRecord
from pipeline.models.segmenters import Segmenter, chosen
from pipeline.pictures.store import InputStore
from pipeline.request import parse_request
from tests.checkpoints.segmenters import SIDE, sam2_checkpoint, sam_checkpoint
from tests.pictures.samples import noisy, shaded

KINDS = ["sam", "sam2"]


@pytest.fixture(scope="module")
def segmenters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Segmenter]:
    found = {}
    for kind, make in (("sam", sam_checkpoint), ("sam2", sam2_checkpoint)):
        weights = tmp_path_factory.mktemp(kind)
        make(weights / "sams" / kind)
        found[kind] = chosen(weights)
    return found


@pytest.fixture
def inputs(tmp_path: Path) -> InputStore:
    return InputStore(tmp_path)


@pytest.fixture
def picture(inputs: InputStore) -> InputId:
    return inputs.put(noisy(120, 80))


def at(x: float, y: float, *beside: tuple[float, float], box: Any = None) -> Selection:
    points = [{"x": x, "y": y}, *({"x": right, "y": down, "label": 0} for right, down in beside)]
    return Selection(points=points, box=box)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_has_the_picture_s_size_and_is_the_same_every_time(
    segmenters: dict[str, Segmenter], inputs: InputStore, picture: InputId, kind: str
) -> None:
    assert segmenters[kind].kind == kind
    one = Selector(segmenters[kind], "cpu")
    name = one.select(picture, at(30, 40), inputs)
    mask = inputs.get(name)
    assert (mask.mode, mask.size) == ("L", (120, 80))
    assert set(np.unique(mask)) == {0, 255}
    assert one.select(picture, at(30, 40), inputs) == name
    assert Selector(segmenters[kind], "cpu").select(picture, at(30, 40), inputs) == name


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_its_label_and_a_box_change_the_mask(
    segmenters: dict[str, Segmenter], inputs: InputStore, picture: InputId, kind: str
) -> None:
    one = Selector(segmenters[kind], "cpu")
    wishes = [
        at(30, 40),
        at(90, 70),
        at(30, 40, (90, 70)),
        Selection(points=[{"x": 30, "y": 40}, {"x": 90, "y": 70}]),
        at(30, 40, box=(10, 20, 60, 70)),
        Selection(box=(10, 20, 60, 70)),
    ]
    assert len({one.select(picture, wish, inputs) for wish in wishes}) == len(wishes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_looked_at_once_for_all_points_until_another_comes(
    segmenters: dict[str, Segmenter],
    inputs: InputStore,
    picture: InputId,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, looked = Selector(segmenters[kind], "cpu"), list[InputId]()
    look = one._look
    monkeypatch.setattr(one, "_look", lambda name, image: looked.append(name) or look(name, image))
    other = inputs.put(shaded(64, 64))
    masks = [one.select(name, at(30, 40), inputs) for name in (picture, picture, other, picture)]
    one.select(picture, at(50, 10), inputs)
    assert looked == [picture, other, picture]
    assert masks[0] == masks[1] == masks[3] != masks[2]


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (64, 64), (300, 7)])
def test_what_sam_sees_and_answers_is_what_transformers_own_processor_makes_of_it(
    segmenters: dict[str, Segmenter], inputs: InputStore, size: tuple[int, int]
) -> None:
    image, point = noisy(*size), (size[0] / 3, size[1] / 2)
    square = {"height": SIDE, "width": SIDE}
    processor = SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=square)
    seen = processor(image, return_tensors="pt")
    height, width = seen["reshaped_input_sizes"][0].tolist()
    points = torch.tensor([[[[point[0] * width / size[0], point[1] * height / size[1]]]]])
    with torch.inference_mode():
        found = SamModel.from_pretrained(segmenters["sam"].folder)(
            pixel_values=seen["pixel_values"], input_points=points, input_labels=torch.tensor([[[1]]])
        )
    masks = processor.post_process_masks(found.pred_masks, seen["original_sizes"], seen["reshaped_input_sizes"])
    theirs = masks[0][0, found.iou_scores[0, 0].argmax()].numpy()
    ours = inputs.get(Selector(segmenters["sam"], "cpu").select(inputs.put(image), at(*point), inputs))
    assert (np.asarray(ours) > 0).tolist() == theirs.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_named_and_a_picture_that_is_gone_is_told(
    segmenters: dict[str, Segmenter], inputs: InputStore, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(NotFound):
        Selector(segmenters[kind], "cpu").select(f"{'0' * 64}-64x64", at(1, 1), inputs)
    torn = tmp_path / "torn"
    torn.mkdir()
    for name in ("config.json", "model.safetensors"):
        (torn / name).write_bytes((segmenters[kind].folder / name).read_bytes()[:-9])
    with pytest.raises(ModelUnavailable, match="torn"):
        Selector(Segmenter("torn", torn, segmenters[kind].kind), "cpu")


def test_weights_of_something_else_are_refused_and_not_made_up(
    segmenters: dict[str, Segmenter], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes((segmenters["sam"].folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((segmenters["sam2"].folder / "model.safetensors").read_bytes())
    with pytest.raises(ModelUnavailable, match="lacks"):
        Selector(Segmenter("mixed", tmp_path, "sam"), "cpu")


def test_the_engine_keeps_the_model_until_a_job_or_another_model_needs_the_room(
    segmenters: dict[str, Segmenter], cache: Path, tmp_path: Path, demo: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = selector._read
    monkeypatch.setattr(selector, "_read", lambda which: read.append(which.kind) or original(which))
    engine = Engine(cache, inputs=tmp_path)
    picture = InputStore(tmp_path).put(noisy(64, 64))

    def select(kind: str) -> InputId:
        return engine.select(segmenters[kind], picture, at(20, 20))

    first = select("sam")
    assert select("sam") == first != select("sam2")
    assert read == ["sam", "sam2"]
    request = parse_request(prompt="a house", seed=1, num_inference_steps=1)
    before = list(engine.generate(request, demo, [0], lambda _: None, lambda: False))
    assert select("sam") == first
    after = list(engine.generate(request, demo, [0], lambda _: None, lambda: False))
    assert before[0].recipe.sha256 == after[0].recipe.sha256
    engine.release()
    assert select("sam") == first
    assert read == ["sam", "sam2", "sam", "sam"]


@pytest.mark.parametrize(("free", "where"), [(4 * 2**30, "cuda:1"), (4 * 2**30 - 1, "cpu")])
def test_it_computes_on_the_gpu_where_there_is_room_beside_what_is_loaded(
    monkeypatch: pytest.MonkeyPatch, free: int, where: str
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch.accelerator, "get_memory_info", lambda index: (asked.append(index) or free, 24 * 2**30))
    gpu = Device(kind="cuda", index=1, name="a GPU", memory_total=24 * 2**30, memory_free=24 * 2**30, bfloat16=True)
    assert device_for(gpu) == where
    assert asked == [1]
    for kind in ("mps", "cpu"):
        assert device_for(gpu.model_copy(update={"kind": kind})) == "cpu"
