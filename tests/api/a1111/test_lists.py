"""What A1111's clients can choose from, and what is set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import webuiapi

from pipeline.models.registry import ROOT
from pipeline.studio import Studio

SMALL = {"prompt": "a boat", "width": 64, "height": 64, "steps": 2}


@pytest.fixture
def own_upscaler(studio: Studio) -> Iterator[str]:
    """An upscaler's file in the folder of one's own."""
    folder = studio.models.shelf.folder / "upscalers"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "demo/upscaler/darkroom-x4.safetensors", folder / "mine.safetensors")
    yield "mine"
    shutil.rmtree(folder)


def test_every_call_of_webuiapi_for_a_list_is_answered_in_its_shape(api: webuiapi.WebUIApi) -> None:
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_embeddings() == {"loaded": {}, "skipped": {}}
    assert api.get_cmd_flags() == {"api": True}
    for call in (api.get_hypernetworks, api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles):
        assert call() == []
    assert api.get_latent_upscale_modes() == []
    assert api.get_sd_vae() == []
    assert api.get_loras() == []
    assert api.refresh_checkpoints() == {}
    assert api.util_get_scheduler_names() == ["automatic"]
    memory = api.get_memory()
    assert 0 < memory["ram"]["used"] < memory["ram"]["total"]
    assert set(memory) == {"ram", "cuda"}


def test_the_client_finds_no_extensions_that_it_would_speak_to(api: webuiapi.WebUIApi) -> None:
    assert [api.has_controlnet, api.has_adetailer, api.has_animatediff] == [False] * 3


def test_checkpoints_that_are_here_are_listed_without_their_places(api: webuiapi.WebUIApi) -> None:
    listed = api.get_sd_models()
    names = {model["title"] for model in listed}
    assert {"tiny", "sd15"} <= names
    assert "black-forest-labs/FLUX.1-dev" not in names
    assert not any(str(Path(model["filename"]).anchor) for model in listed)


def test_a_checkpoint_is_chosen_by_its_title_until_another_is(api: webuiapi.WebUIApi) -> None:
    assert api.util_get_current_model() == "tiny"
    api.util_set_model("SD15")
    assert api.util_get_current_model() == "sd15"
    assert "Euler a" in api.util_get_sampler_names()
    result = api.txt2img(**SMALL)
    assert (result.info["sd_model_name"], result.info["sampler_name"]) == ("sd15", "Euler a")
    api.set_options({"sd_model_checkpoint": "tiny"})
    assert api.txt2img(**SMALL).info["sd_model_name"] == "tiny"


def test_what_the_options_say_is_what_can_be_set(api: webuiapi.WebUIApi, url: str) -> None:
    assert api.set_options(api.get_options())["ignored"] == [
        "live_previews_enable",
        "samples_format",
        "samples_save",
        "sd_checkpoint_hash",
        "sd_checkpoint_name",
    ]
    for options, status in (
        ({"sd_model_checkpoint": "dream"}, 404),
        ({"sd_vae": "dream"}, 404),
        ({"sd_model_checkpoint": 5}, 422),
        ([], 422),
        ({"sd_model_checkpoint": "sd15", "CLIP_stop_at_last_layers": 2}, 422),
        ({"sd_model_checkpoint": "sd15", "sd_vae": "dream"}, 404),
    ):
        assert httpx.post(f"{url}/options", json=options).status_code == status
    assert api.util_get_current_model() == "tiny"


def test_every_sampler_of_the_list_draws(api: webuiapi.WebUIApi) -> None:
    names = [sampler["name"] for sampler in api.get_samplers()]
    assert names == ["Euler", "Heun", "DPM++ 2M", "DPM++ 2S", "UniPC"]
    for name in names:
        result = api.txt2img(sampler_name=name, seed=1, **SMALL)
        assert (result.info["sampler_name"], result.info["warnings"]) == (name, [])


def test_upscalers_of_ones_own_are_listed(api: webuiapi.WebUIApi, own_upscaler: str) -> None:
    listed = {upscaler["name"]: upscaler["scale"] for upscaler in api.get_upscalers()}
    assert listed == {"None": None, "lanczos": None, "darkroom-x4": 4, own_upscaler: 4}


def test_loras_and_vaes_are_listed_by_the_names_that_requests_give_them(api: webuiapi.WebUIApi, weights: Path) -> None:
    assert "ink-sd15" in {lora["name"] for lora in api.get_loras()}
    assert {vae["model_name"] for vae in api.get_sd_vae()} == {"folder", "one"}
    assert str(weights) not in str([api.get_loras(), api.get_sd_vae(), api.get_upscalers(), api.get_sd_models()])


def test_a_vae_is_chosen_by_its_name_until_another_is(api: webuiapi.WebUIApi, weights: Path) -> None:
    api.set_options({"sd_model_checkpoint": "sd15", "sd_vae": "one.safetensors"})
    assert api.get_options()["sd_vae"] == "one"
    assert api.txt2img(**SMALL).info["sd_vae_name"] == "one"
    api.set_options({"sd_vae": "Automatic"})
    assert api.txt2img(**SMALL).info["sd_vae_name"] is None


def test_what_is_not_here_is_a_404_in_the_same_shape(url: str, port: int) -> None:
    for address in (f"{url}/unload-checkpoint", f"http://127.0.0.1:{port}/controlnet/version"):
        answer = httpx.get(address)
        assert answer.status_code == 404
        assert answer.json()["error"] == "not_found"
