"""The folder of weight files: what is listed, what is refused and why, and that no name leads out of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, NotFound
from pipeline.models.own.extras import check_extras, fitting
from pipeline.models.own.shelf import Shelf, records
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request
from tests.models.weight_files import FLUX, LORA_SD15, LORA_SDXL, SD15, SDXL, VAE4, VAE16, write

KNOWN = Registry.read().records
BASE = Registry.read().find("stable-diffusion-v1-5/stable-diffusion-v1-5")
XL = Registry.read().find("stable-diffusion-xl-base-1.0")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    write(tmp_path / "loras/ink.safetensors", LORA_SD15, **{"modelspec.trigger_phrase": "inkk"})
    write(tmp_path / "loras/style/Neon Night.safetensors", LORA_SDXL)
    write(tmp_path / "vae/mse.safetensors", VAE4)
    write(tmp_path / "vae/sd3.safetensors", VAE16)
    return Shelf(tmp_path)


def names(files: list) -> list[str]:
    return [file.name for file in files]


def request(**fields: object):
    return parse_request(prompt="x", **fields)


# -- listing


def test_files_are_listed_by_their_path_without_the_ending(shelf: Shelf) -> None:
    assert names(shelf.loras()) == ["ink", "style/Neon Night"]
    assert names(shelf.vaes()) == ["mse", "sd3"]
    assert shelf.checkpoints() == []


def test_folders_that_are_not_there_are_empty(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "nowhere")
    assert (shelf.loras(), shelf.vaes(), shelf.checkpoints(), records(shelf.folder, KNOWN)) == ([], [], [], [])


@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".bin", ".PTH"])
def test_pickles_are_listed_as_refused_with_the_reason(shelf: Shelf, ending: str) -> None:
    (shelf.folder / f"loras/old{ending}").write_bytes(b"\x80\x02}q\x00.")
    found = next(file for file in shelf.loras() if file.name == f"old{ending}")
    assert "is a pickle, which can run any code" in found.refusal
    with pytest.raises(InvalidRequest, match=r"only \.safetensors files are") as caught:
        shelf.lora(f"old{ending}")
    assert caught.value.info.field == "loras"


def test_a_file_of_another_kind_and_a_damaged_one_are_refused(shelf: Shelf) -> None:
    write(shelf.folder / "loras/model.safetensors", SD15)
    cut = write(shelf.folder / "loras/cut.safetensors", LORA_SD15)
    cut.write_bytes(cut.read_bytes()[:-10])
    (shelf.folder / "loras/noise.safetensors").write_bytes(b"hello")
    refusals = {file.name: file.refusal for file in shelf.loras() if file.refusal}
    assert refusals["model"] == "is a checkpoint, not a LoRA"
    assert "10 bytes are missing" in refusals["cut"]
    assert "not a safetensors file" in refusals["noise"]


def test_a_changed_file_is_looked_at_again(shelf: Shelf) -> None:
    assert shelf.lora("ink").kind.family == "sd15"
    path = write(shelf.folder / "loras/ink.safetensors", LORA_SDXL)
    os.utime(path, (1, 1))
    assert shelf.lora("ink").kind.family == "sdxl"


def test_other_files_and_hidden_ones_are_passed_over(shelf: Shelf) -> None:
    (shelf.folder / "loras/readme.txt").write_text("x")
    write(shelf.folder / "loras/.ink.safetensors", LORA_SD15)
    write(shelf.folder / "loras/.trash/ink.safetensors", LORA_SD15)
    assert names(shelf.loras()) == ["ink", "style/Neon Night"]


def test_a_link_is_followed_and_a_circle_of_links_ends(shelf: Shelf, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/far.safetensors", LORA_SD15)
    (shelf.folder / "loras/shared").symlink_to(tmp_path / "elsewhere")
    (shelf.folder / "loras/again").symlink_to(shelf.folder / "loras")
    (shelf.folder / "loras/gone.safetensors").symlink_to(tmp_path / "gone")
    assert names(shelf.loras()) == ["gone", "ink", "shared/far", "style/Neon Night"]
    assert "cannot be read" in shelf.loras()[0].refusal


def test_a_vae_in_a_diffusers_folder_has_the_name_of_its_folder(shelf: Shelf) -> None:
    write(shelf.folder / "vae/fix/diffusion_pytorch_model.safetensors", VAE4)
    (shelf.folder / "vae/fix/config.json").write_text("{}")
    assert shelf.vae("fix").path.name == "diffusion_pytorch_model.safetensors"


# -- names


@pytest.mark.parametrize("name", ["ink", "INK", " ink "])
def test_a_file_is_found_by_its_name(shelf: Shelf, name: str) -> None:
    assert shelf.lora(name).kind.triggers == ("inkk",)


def test_a_file_is_found_by_the_last_part_of_its_name_if_that_is_unique(shelf: Shelf) -> None:
    assert shelf.lora("neon night").name == "style/Neon Night"
    write(shelf.folder / "loras/other/Neon Night.safetensors", LORA_SD15)
    with pytest.raises(NotFound, match=r"can mean several files\. Choose one of: other/Neon Night, style/Neon Night"):
        shelf.lora("neon night")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "../loras/ink", "style/../ink", "ink.safetensors", "*"])
def test_no_name_leads_out_of_the_folder(shelf: Shelf, name: str) -> None:
    write(shelf.folder / "secret.safetensors", LORA_SD15)
    with pytest.raises(NotFound, match="Choose one of: ink, style/Neon Night") as caught:
        shelf.lora(name)
    assert caught.value.info.field == "loras"


def test_an_empty_shelf_says_where_files_belong(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"Put .safetensors files into {tmp_path / 'vae'}"):
        Shelf(tmp_path).vae("mse")


# -- records of checkpoints


def test_every_usable_checkpoint_gets_a_record_of_its_family(tmp_path: Path) -> None:
    photon = write(tmp_path / "checkpoints/photon_v1.safetensors", SD15)
    write(tmp_path / "checkpoints/xl/Jugger naut (9).safetensors", SDXL)
    write(tmp_path / "checkpoints/lora.safetensors", LORA_SD15)
    (tmp_path / "checkpoints/old.ckpt").write_bytes(b"\x80")
    found = {record.id: record for record in records(tmp_path, KNOWN)}
    assert set(found) == {"photon_v1", "xl/Jugger-naut-9"}
    own = found["photon_v1"]
    assert (own.family, own.source, own.config) == ("sd15", str(photon), BASE.source)
    assert (own.steps, own.guidance, own.components) == (BASE.steps, BASE.guidance, BASE.components)
    assert any(note.startswith("Pruned") for note in own.notes)
    assert found["xl/Jugger-naut-9"].name == "Jugger naut (9)"
    refused = {file.name: file.refusal for file in Shelf(tmp_path).checkpoints() if file.refusal}
    assert set(refused) == {"lora", "old.ckpt"}


def test_what_a_file_lacks_comes_from_the_family_s_own_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "checkpoints/flux.safetensors", FLUX)
    (flux,) = records(tmp_path, KNOWN)
    assert flux.parts == dict.fromkeys(("text_encoder", "text_encoder_2", "vae"), "black-forest-labs/FLUX.1-dev")
    assert flux.download_bytes == 2 * sum(flux.parameters[part] for part in flux.parts)
    assert flux.licence.gated


def test_a_diffusers_folder_is_one_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints/mine"
    write(folder / "unet/diffusion_pytorch_model.safetensors", {"conv_in.weight": (1,)})
    (folder / "unet/config.json").write_text(json.dumps({"cross_attention_dim": 768, "in_channels": 4}))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    (record,) = records(tmp_path, KNOWN)
    assert (record.id, record.source, record.family) == ("mine", str(folder), "sd15")
    assert names(Shelf(tmp_path).checkpoints()) == ["mine"]


def test_a_file_with_the_name_of_a_known_model_does_not_replace_it(tmp_path: Path) -> None:
    write(tmp_path / "checkpoints/demo.safetensors", SD15)
    assert [record.id for record in records(tmp_path, KNOWN)] == ["local/demo"]


# -- what a model takes


def refusal(record: ModelRecord, shelf: Shelf, **fields: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_extras(record, request(**fields), shelf)
    assert caught.value.info.field == next(iter(fields))
    return caught.value.info.sentence


def test_files_that_fit_pass_without_a_word(shelf: Shelf) -> None:
    assert check_extras(BASE, request(loras=[{"name": "ink"}]), shelf) == []
    assert check_extras(BASE, request(), shelf) == []


def test_a_lora_of_another_family_is_refused_with_what_would_fit(shelf: Shelf) -> None:
    sentence = refusal(XL, shelf, loras=[{"name": "ink"}])
    assert "“ink” is for sd15, and Stable Diffusion XL" in sentence
    assert "For sdxl there are: style/Neon Night." in sentence


def test_a_lora_named_twice_is_refused(shelf: Shelf) -> None:
    assert "is named twice" in refusal(BASE, shelf, loras=[{"name": "ink"}, {"name": "ink", "weight": 0.5}])


@pytest.mark.parametrize("name", ["PixArt-XL-2-512x512", "Lumina-Next", "CogView3", "kandinsky", "stable-cascade"])
def test_families_without_a_loader_take_no_loras(shelf: Shelf, name: str) -> None:
    assert "takes no LoRAs" in refusal(Registry.read().find(name), shelf, loras=[{"name": "ink"}])


def test_a_lora_whose_family_cannot_be_told_is_tried_with_a_warning(shelf: Shelf) -> None:
    write(shelf.folder / "loras/odd.safetensors", {"lora_unet_mid_block_x.lora_down.weight": (4, 99)})
    (doubt,) = check_extras(XL, request(loras=[{"name": "odd"}]), shelf)
    assert "cannot be told" in doubt


def test_a_vae_must_have_the_latents_of_the_model(shelf: Shelf) -> None:
    assert "has 16 latent channels, and Stable Diffusion 1.5 has 4" in refusal(BASE, shelf, vae="sd3")
    assert "cannot be replaced" in refusal(Registry.read().find("Qwen-Image"), shelf, vae="mse")
    assert check_extras(Registry.read().find("3.5-medium"), request(vae="sd3"), shelf) == []


def test_a_vae_that_may_be_of_the_other_family_is_warned_about(shelf: Shelf) -> None:
    (doubt,) = check_extras(BASE, request(vae="mse"), shelf)
    assert "look alike" in doubt
    write(shelf.folder / "vae/xl.safetensors", VAE4, **{"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"})
    assert check_extras(XL, request(vae="xl"), shelf) == []
    assert "is for sdxl" in refusal(BASE, shelf, vae="xl")


def test_a_page_is_offered_only_what_fits(shelf: Shelf) -> None:
    assert names(fitting(BASE, shelf.loras())) == ["ink"]
    assert names(fitting(XL, shelf.vaes())) == ["mse"]
    assert fitting(Registry.read().find("Lumina-Next"), shelf.loras()) == []
