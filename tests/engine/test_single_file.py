"""Checkpoints in one file: the very weights of the folder that they were made from, and a sentence for the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.engine import Engine
from pipeline.engine.component import load_component
from pipeline.engine.load import _class_of
from pipeline.engine.quantized_cache import QuantizedCache
from pipeline.engine.single_file import SingleFile, components_of
from pipeline.errors import ModelUnavailable
from pipeline.models.files.selection import has_weights
from pipeline.models.own.add import from_file
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request
from tests.checkpoints import sd15_checkpoint, sd21_checkpoint, sd35_checkpoint
from tests.checkpoints.originals import sd3_original, sd_original, sdxl_original, wide_sdxl_checkpoint
from tests.engine.conftest import Run

KNOWN = Registry.read().records
SMALL = {"native": (64, 64), "multiple": 8, "min": 64, "max": 256}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Family → diffusers folder and the single file made from it."""
    root = tmp_path_factory.mktemp("originals")
    sd15, sd21 = sd15_checkpoint(root / "sd15"), sd21_checkpoint(root / "sd21")
    sdxl, sd3 = wide_sdxl_checkpoint(root / "sdxl"), sd35_checkpoint(root / "sd3")
    return {
        "sd15": (sd15, sd_original(sd15, root / "photon.safetensors")),
        "sd21": (sd21, sd_original(sd21, root / "two.safetensors", open_clip=True)),
        "sdxl": (sdxl, sdxl_original(sdxl, root / "jugger.safetensors")),
        "sd3": (sd3, sd3_original(sd3, root / "medium.safetensors")),
    }


def record_of(originals: dict[str, tuple[Path, Path]], family: str, **changes: Any) -> ModelRecord:
    """The record that adding the file makes, with the tiny folder in the place of the family's repository."""
    folder, file = originals[family]
    made = from_file(file, KNOWN)
    assert made.family == family
    here = {"config": str(folder), "parts": dict.fromkeys(made.parts, str(folder)), "size": SMALL}
    return ModelRecord.model_validate(made.model_dump() | here | changes)


def kinds_of(folder: Path, record: ModelRecord) -> dict[str, type[Any]]:
    """The models of the pipeline that the file has to hold."""
    listed = components_of(folder, record)
    return {
        name: _class_of(library, kind, record)
        for name, (library, kind) in listed.items()
        if has_weights(kind) and name not in record.parts
    }


@pytest.mark.parametrize("family", ["sd15", "sd21", "sdxl", "sd3"])
def test_every_weight_is_that_of_the_folder(originals: dict[str, tuple[Path, Path]], family: str) -> None:
    folder, file = originals[family]
    record = record_of(originals, family)
    dtype = torch.bfloat16 if family == "sd3" else torch.float32
    single, kinds = SingleFile(record, file, folder), kinds_of(folder, record)
    assert kinds
    for name, kind in kinds.items():
        found = single.load(kind, name, precision="none", dtype=dtype, device="cpu").model.state_dict()
        expected = kind.from_pretrained(folder / name, dtype=dtype).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name


@pytest.mark.parametrize("precision", ["nf4", "int8"])
@pytest.mark.parametrize("name", ["unet", "text_encoder_2"])
def test_a_quantised_component_is_the_same_as_from_the_folder(
    originals: dict[str, tuple[Path, Path]], name: str, precision: Any, tmp_path: Path
) -> None:
    folder, file = originals["sdxl"]
    record = record_of(originals, "sdxl")
    kind = kinds_of(folder, record)[name]
    how: dict[str, Any] = {"precision": precision, "dtype": torch.float32, "device": "cpu"}
    found = SingleFile(record, file, folder).load(kind, name, **how)
    cache, silent = QuantizedCache(tmp_path), lambda _: None
    expected = load_component(kind, folder / name, name, **how, record=record, cache=cache, emit=silent)
    assert found.report is not None
    assert found.report.bytes_after == expected.report.bytes_after < found.report.bytes_before
    left, right = found.model.state_dict(), expected.model.state_dict()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_a_file_makes_the_pictures_of_its_folder(
    originals: dict[str, tuple[Path, Path]], family: str, run: Callable[..., Run]
) -> None:
    single = record_of(originals, family)
    folder = ModelRecord.model_validate(
        single.model_dump() | {"source": str(originals[family][0]), "config": "", "parts": {}}
    )
    one, other = (run(record, quantization="none").pictures[0] for record in (single, folder))
    # Where in memory equal weights lie can change the last bit of a sum, and so a pixel by one.
    assert max(abs(left - right) for left, right in zip(one.rgb, other.rgb, strict=True)) <= 1
    recipe = one.recipe
    assert recipe.model == single.id
    assert recipe.model_revision.startswith("sha256:")


@pytest.mark.parametrize(
    ("family", "lost", "what"),
    [
        ("sd15", "model.diffusion_model.out.2.weight", "some of the weights of unet"),
        ("sd15", "first_stage_model.decoder.conv_out.bias", "some of the weights of vae"),
        ("sd15", "cond_stage_model.transformer.text_model.final_layer_norm.weight", "1 of the weights of text_encoder"),
        ("sd3", "model.diffusion_model.context_embedder.weight", "context_embedder.weight' of the weights"),
    ],
)
def test_a_file_that_lacks_weights_is_refused_and_not_filled_with_noise(
    originals: dict[str, tuple[Path, Path]], engine: Engine, tmp_path: Path, family: str, lost: str, what: str
) -> None:
    tensors = load_file(originals[family][1])
    del tensors[lost]
    save_file(tensors, tmp_path / "cut.safetensors")
    record = record_of(originals, family, source=str(tmp_path / "cut.safetensors"))
    with pytest.raises(ModelUnavailable, match=f"cannot be loaded: it lacks .*{what}"):
        engine.load(record, parse_request(prompt="x"), lambda _: None)


def test_a_file_of_another_shape_than_its_configuration_is_told(
    originals: dict[str, tuple[Path, Path]], engine: Engine, tmp_path: Path
) -> None:
    tensors = load_file(originals["sd15"][1])
    tensors["model.diffusion_model.out.2.weight"] = torch.zeros(4, 48, 3, 3)
    save_file(tensors, tmp_path / "wide.safetensors")
    record = record_of(originals, "sd15", source=str(tmp_path / "wide.safetensors"))
    with pytest.raises(ModelUnavailable, match="its unet is not of the shape that"):
        engine.load(record, parse_request(prompt="x"), lambda _: None)


def test_an_inpainting_file_is_refused_with_the_reason(
    originals: dict[str, tuple[Path, Path]], engine: Engine, tmp_path: Path
) -> None:
    tensors = load_file(originals["sd15"][1])
    tensors["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(32, 9, 3, 3)
    save_file(tensors, tmp_path / "inpaint.safetensors")
    record = record_of(originals, "sd15", source=str(tmp_path / "inpaint.safetensors"))
    with pytest.raises(ModelUnavailable, match="inpainting checkpoint"):
        engine.load(record, parse_request(prompt="x"), lambda _: None)


def test_a_damaged_file_is_told(originals: dict[str, tuple[Path, Path]], engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(originals["sd15"][1].read_bytes()[:-100])
    record = record_of(originals, "sd15", source=str(tmp_path / "x.safetensors"))
    with pytest.raises(ModelUnavailable, match="100 bytes are missing"):
        engine.load(record, parse_request(prompt="x"), lambda _: None)
