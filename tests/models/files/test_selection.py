"""Which files of a repository a pipeline needs: judged on listings as published checkpoints have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.models.files.selection import (
    chosen,
    components_in,
    has_weights,
    lacking,
    taken_from,
    variant_in,
    weights_among,
)

SDXL = {
    "text_encoder": ("transformers", "CLIPTextModel"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
}
SDXL_FILES = [
    ".gitattributes",
    "LICENSE.md",
    "README.md",
    "01.png",
    "model_index.json",
    "sd_xl_base_1.0.safetensors",
    "sd_xl_base_1.0_0.9vae.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.onnx",
    "text_encoder/model.safetensors",
    "text_encoder/openvino_model.bin",
    "text_encoder/openvino_model.xml",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_flax_model.msgpack",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/model.onnx_data",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_1_0/config.json",
    "vae_1_0/diffusion_pytorch_model.safetensors",
    "vae_decoder/config.json",
    "vae_decoder/model.onnx",
]
SHARDS = [f"model-0000{shard}-of-00002.safetensors" for shard in (1, 2)]
HALF_SHARDS = [f"model.fp16-0000{shard}-of-00002.safetensors" for shard in (1, 2)]
T5 = [*SHARDS, "model.safetensors.index.json", *HALF_SHARDS, "model.safetensors.index.fp16.json", "config.json"]


def test_one_precision_of_the_components_is_chosen_and_nothing_else() -> None:
    assert sorted(chosen(SDXL_FILES, SDXL, "fp16")) == sorted(
        [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ]
    )


def test_without_a_variant_the_full_weights_are_chosen() -> None:
    weights = [path for path in chosen(SDXL_FILES, SDXL, "") if path.endswith(".safetensors")]
    assert weights == [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]


def test_small_files_come_first() -> None:
    paths = chosen(SDXL_FILES, SDXL, "fp16")
    assert paths[0] == "model_index.json"
    assert [path.endswith(".safetensors") for path in paths] == [False] * 9 + [True] * 3


def test_only_configuration_can_be_chosen() -> None:
    assert not any(path.endswith(".safetensors") for path in chosen(SDXL_FILES, SDXL, "fp16", weights=False))


@pytest.mark.parametrize(
    ("variant", "files"),
    [
        ("", [*SHARDS, "model.safetensors.index.json"]),
        ("fp16", [*HALF_SHARDS, "model.safetensors.index.fp16.json"]),
        ("bf16", [*SHARDS, "model.safetensors.index.json"]),
    ],
)
def test_shards_come_with_their_index(variant: str, files: list[str]) -> None:
    found = weights_among(T5, variant)
    assert found is not None
    assert list(found.files) == files


def test_shards_under_their_old_names_are_known() -> None:
    old = [f"diffusion_pytorch_model-0000{shard}-of-00002.fp16.safetensors" for shard in (1, 2)]
    index = "diffusion_pytorch_model.fp16.safetensors.index.json"
    found = weights_among([*old, index], "fp16")
    assert found is not None
    assert set(found.files) == {*old, index}


@pytest.mark.parametrize("gone", [SHARDS[1], "model.safetensors.index.json"])
def test_shards_that_are_not_all_there_are_no_weights(gone: str) -> None:
    assert weights_among({*SHARDS, "model.safetensors.index.json"} - {gone}, "") is None


def test_half_precision_stands_in_for_full_and_other_variants_do_not() -> None:
    assert weights_among(["model.fp16.safetensors"], "") is not None
    assert weights_among(["model.non_ema.safetensors"], "") is None
    assert weights_among(["model.non_ema.safetensors"], "non_ema") is not None


def test_the_variant_that_is_here_is_the_one_to_load(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    assert variant_in(tmp_path, "fp16") == ""
    (tmp_path / "model.fp16.safetensors").touch()
    assert variant_in(tmp_path, "fp16") == "fp16"
    assert variant_in(tmp_path / "gone", "fp16") == "fp16"


def test_a_repository_without_safetensors_is_refused_with_the_reason() -> None:
    with pytest.raises(LookupError, match=r"for “unet”, only diffusion_pytorch_model.bin, a format that can carry"):
        chosen(["unet/config.json", "unet/diffusion_pytorch_model.bin"], {"unet": SDXL["unet"]}, "")
    with pytest.raises(LookupError, match=r"for “unet”$"):
        chosen(["unet/config.json"], {"unet": SDXL["unet"]}, "")


def test_absent_components_and_settings_are_no_components() -> None:
    index = {"_class_name": "X", "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None], "flag": True}
    assert components_in(index) == {"vae": ("diffusers", "AutoencoderKL")}


@pytest.mark.parametrize("kind", ["T5TokenizerFast", "DDIMScheduler", "CLIPImageProcessor", "CLIPFeatureExtractor"])
def test_what_has_no_weights_is_known_by_its_class(kind: str) -> None:
    assert not has_weights(kind)
    assert has_weights("StableDiffusionSafetyChecker")


def test_a_component_is_taken_from_one_source_only() -> None:
    prior = {"prior": ("diffusers", "PriorTransformer"), "tokenizer": ("transformers", "CLIPTokenizer")}
    assert taken_from("prior_", prior, ["prior_"]) == prior
    assert taken_from("vae", SDXL, ["vae"]) == {"vae": SDXL["vae"]}
    assert "vae" not in taken_from("", SDXL, ["vae"])


# -- on this disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete snapshot with the names of `SDXL_FILES`."""
    for path in chosen(SDXL_FILES, SDXL, "fp16"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "model_index.json").write_text(json.dumps(SDXL))
    return tmp_path


def test_a_complete_folder_lacks_nothing(folder: Path) -> None:
    assert lacking(folder, lambda listed: listed) is None


@pytest.mark.parametrize(
    ("gone", "lack"),
    [
        (["model_index.json"], "model_index.json"),
        (["scheduler/scheduler_config.json"], "scheduler/ (its configuration)"),
        (["tokenizer/vocab.json"], "tokenizer/ (its vocabulary)"),
        (["unet/diffusion_pytorch_model.fp16.safetensors"], "unet/ (its weights)"),
    ],
)
def test_whatever_is_missing_is_named(folder: Path, gone: list[str], lack: str) -> None:
    for path in gone:
        (folder / path).unlink()
    assert lacking(folder, lambda listed: listed) == lack


def test_weights_that_nobody_needs_are_not_missed(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").unlink()
    assert lacking(folder, lambda listed: listed, weights=False) is None
    assert lacking(folder, lambda listed: {"vae": listed["vae"]}) is None


def test_a_link_that_leads_nowhere_is_missing(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    weights.unlink()
    weights.symlink_to(folder / "blobs" / "gone")
    assert lacking(folder, lambda listed: listed) == "unet/ (its weights)"


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_an_index_that_cannot_be_read_is_missing(folder: Path, content: str) -> None:
    (folder / "model_index.json").write_text(content)
    assert lacking(folder, lambda listed: listed) == "model_index.json"
