"""What a ControlNet's files tell before anything is loaded, and why one does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from pipeline.models.control_fit import denoiser_config, read_net
from pipeline.models.controlnets import FAMILIES
from pipeline.models.registry import ModelRecord, Registry
from tests.models.weight_files import write

WEIGHTS = "diffusion_pytorch_model.safetensors"
UNET = {"cross_attention_dim": 768, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2}


def net(folder: Path, names: tuple[str, ...] = (WEIGHTS,), **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name in names:
        write(folder / name, {"conv_in.weight": (4, 4)})
    return folder


def model(folder: Path, like: str, **config: Any) -> ModelRecord:
    """A record whose checkpoint has a denoiser with that configuration."""
    record = Registry.read().find(like)
    place = folder / FAMILIES[record.family].denoiser
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(config))
    return record.model_copy(update={"source": str(folder)})


def reason(folder: Path, record: ModelRecord) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_net(folder, "mine").check(record, FAMILIES[record.family])
    assert caught.value.info.field == "controls"
    return caught.value.info.message


def broken(folder: Path) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_net(folder, "mine")
    return caught.value.info.message


def test_a_net_with_the_model_s_widths_fits(tmp_path: Path) -> None:
    folder = net(tmp_path / "net", _class_name="ControlNetModel", **UNET)
    record = model(tmp_path / "model", "stable-diffusion-v1-5", **UNET)
    read_net(folder, "mine").check(record, FAMILIES["sd15"])


def test_the_wished_variant_is_taken_and_another_where_it_is_absent(tmp_path: Path) -> None:
    both = net(tmp_path / "both", (WEIGHTS, "diffusion_pytorch_model.fp16.safetensors"))
    assert read_net(both, "mine", "fp16").variant == "fp16"
    assert read_net(both, "mine").variant == ""
    assert read_net(net(tmp_path / "plain"), "mine", "fp16").variant == ""


def test_a_net_of_another_class_does_not_fit(tmp_path: Path) -> None:
    folder = net(tmp_path / "net", _class_name="ControlNetUnionModel", **UNET)
    record = Registry.read().find("stable-diffusion-v1-5")
    assert reason(folder, record) == (
        "The ControlNet “mine” is a ControlNetUnionModel, and Stable Diffusion 1.5 takes a ControlNetModel."
    )


def test_a_net_of_other_widths_does_not_fit_and_names_the_first_that_differs(tmp_path: Path) -> None:
    folder = net(tmp_path / "net", _class_name="ControlNetModel", **UNET | {"cross_attention_dim": 1024})
    record = model(tmp_path / "model", "stable-diffusion-v1-5", **UNET)
    assert reason(folder, record) == (
        "The ControlNet “mine” does not fit Stable Diffusion 1.5: "
        "its cross_attention_dim is 1024, and the model's is 768."
    )
    folder = net(tmp_path / "wide", _class_name="ControlNetModel", **UNET | {"block_out_channels": [320, 640]})
    assert "its block_out_channels is 320 × 640, and the model's is 320 × 640 × 1280 × 1280" in reason(folder, record)


def test_what_a_net_leaves_out_of_its_configuration_is_not_held_against_it(tmp_path: Path) -> None:
    folder = net(tmp_path / "net", _class_name="ControlNetModel")
    record = model(tmp_path / "model", "stable-diffusion-v1-5", **UNET)
    read_net(folder, "mine").check(record, FAMILIES["sd15"])


def test_nets_for_masks_and_nets_with_modes_do_not_fit(tmp_path: Path) -> None:
    masks = net(tmp_path / "masks", _class_name="SD3ControlNetModel", extra_conditioning_channels=1)
    assert "behind a mask" in reason(masks, Registry.read().find("demo"))
    modes = net(tmp_path / "modes", _class_name="FluxControlNetModel", num_mode=10)
    assert "several nets in one" in reason(modes, Registry.read().find("flux"))


def test_the_configuration_of_a_single_file_comes_from_where_its_record_says(tmp_path: Path) -> None:
    record = model(tmp_path / "config", "stable-diffusion-v1-5", **UNET)
    file = tmp_path / "photon.safetensors"
    write(file, {"conv_in.weight": (4, 4)})
    single = record.model_copy(update={"source": str(file), "config": record.source})
    assert denoiser_config(single, FAMILIES["sd15"]) == UNET


def test_a_checkpoint_that_is_not_here_has_no_configuration_to_compare(tmp_path: Path) -> None:
    record = Registry.read().find("stable-diffusion-v1-5").model_copy(update={"source": str(tmp_path / "gone")})
    assert denoiser_config(record, FAMILIES["sd15"]) == {}


def test_a_folder_without_configuration_or_weights_is_refused(tmp_path: Path) -> None:
    assert "has no readable config.json" in broken(tmp_path)
    assert "has no .safetensors weights" in broken(net(tmp_path / "bin", ()))


def test_weights_that_are_cut_short_are_noticed(tmp_path: Path) -> None:
    folder = net(tmp_path / "net")
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-5])
    assert "damaged (it is cut short: 5 bytes are missing)" in broken(folder)
