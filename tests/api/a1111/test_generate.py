"""Pictures for A1111's clients: `webuiapi`, and scripts as its wiki has them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
import webuiapi
from PIL import Image
from sd_parsers import ParserManager

from pipeline.gallery.metadata import A1111_KEY
from pipeline.studio import Studio
from tests.pictures.samples import file, noisy, shaded

SMALL = {"width": 64, "height": 64, "steps": 3}
INFO = {
    *("prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed"),
    *("all_subseeds", "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size"),
    *("restore_faces", "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash"),
    *("seed_resize_from_w", "seed_resize_from_h", "denoising_strength", "extra_generation_params"),
    *("index_of_first_image", "infotexts", "styles", "job_timestamp", "clip_skip"),
    *("is_using_inpainting_conditioning", "version"),
}
"""Every key that A1111's own answer has."""


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def test_a_script_of_the_wiki_gets_its_picture(url: str) -> None:
    payload = {"prompt": "puppy dog", "steps": 5}
    answer = httpx.post(f"{url}/txt2img", json=payload, timeout=120)
    assert answer.status_code == 200
    assert set(answer.json()) == {"images", "parameters", "info"}
    image = opened(answer.json()["images"][0])
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 64))
    told = json.loads(answer.json()["info"])
    assert set(told) >= INFO
    assert told["infotexts"] == [image.info[A1111_KEY]]
    assert (told["steps"], told["cfg_scale"], told["sd_model_name"]) == (5, 3.5, "tiny")
    assert answer.json()["parameters"]["prompt"] == "puppy dog"


def test_a_script_that_does_not_say_that_its_body_is_json_is_understood(url: str) -> None:
    answer = httpx.post(f"{url}/txt2img", content=json.dumps({"prompt": "puppy dog", "steps": 2}), timeout=120)
    assert answer.status_code == 200


def test_webuiapi_gets_a_picture_where_nobody_chose_anything(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat")
    assert result.image.size == (64, 64)
    assert result.info["sampler_name"] == "Euler"
    assert (result.info["steps"], result.info["cfg_scale"]) == (20, 7.0)
    sampler, size = result.info["warnings"]
    assert "Euler a" in sampler
    assert "512 × 512" in size


def test_pictures_are_read_by_other_programs(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat, at sea", negative_prompt="fog", seed=7, **SMALL)
    read = ParserManager().parse(result.image)
    assert read is not None
    [sampler] = read.samplers
    assert [prompt.value for prompt in sampler.prompts] == ["a boat, at sea"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["fog"]
    assert (sampler.name, sampler.parameters["seed"], sampler.parameters["steps"]) == ("Euler", "7", "3")


def test_the_same_seed_gives_the_same_pixels_as_the_studios_own_api(api: webuiapi.WebUIApi, studio: Studio) -> None:
    theirs = api.txt2img(prompt="a boat", negative_prompt="fog", seed=5, cfg_scale=4, **SMALL)
    size = {"width": 64, "height": 64}
    [ours] = studio.generate(
        "a boat", negative_prompt="fog", seed=5, guidance_scale=4, num_inference_steps=3, model="tiny", **size
    )
    assert theirs.image.tobytes() == ours.open().tobytes()


def test_a_batch_counts_its_seeds_and_each_picture_tells_its_own(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", seed=40, batch_size=2, n_iter=2, **SMALL)
    assert len(result.images) == 4
    assert result.info["all_seeds"] == [40, 41, 42, 43]
    assert result.info["all_subseeds"] == [-1] * 4
    assert result.info["infotexts"] == [image.info[A1111_KEY] for image in result.images]
    assert all(f"Seed: {40 + number}," in text for number, text in enumerate(result.info["infotexts"]))
    alone = api.txt2img(prompt="a boat", seed=42, **SMALL)
    assert alone.image.tobytes() == result.images[2].tobytes()


def test_subseeds_are_variations_of_one_seed(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", seed=40, subseed=9, subseed_strength=0.3, batch_size=2, **SMALL)
    assert result.info["all_seeds"] == [40, 40]
    assert result.info["all_subseeds"] == [9, 10]
    assert result.info["subseed_strength"] == 0.3


def test_a_random_seed_is_told(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", **SMALL)
    again = api.txt2img(prompt="a boat", seed=result.info["seed"], **SMALL)
    assert again.image.tobytes() == result.image.tobytes()


def test_no_pictures_are_sent_where_none_are_wanted(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", send_images=False, **SMALL)
    assert result.images == []
    assert len(result.info["infotexts"]) == 1


def test_nulls_and_unknown_keys_are_left_alone(url: str) -> None:
    payload = {"prompt": "a boat", "steps": 2, "sampler_name": None, "seed": None, "hr_prompt": None, "later": {"a": 1}}
    assert httpx.post(f"{url}/txt2img", json=payload, timeout=120).status_code == 200


def test_a_sampler_that_the_model_has_is_used(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", sampler_name="DPM++ 2M", seed=1, **SMALL)
    assert result.info["sampler_name"] == "DPM++ 2M"
    assert result.info["warnings"] == []


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        (None, "EulerAncestralDiscreteScheduler"),
        ("DPM++ 2M", "DPMSolverMultistepScheduler"),
        ("PLMS", "PNDMScheduler"),
        ("Automatic", "PNDMScheduler"),
    ],
)
def test_an_override_chooses_the_checkpoint_of_one_request_and_its_samplers(
    api: webuiapi.WebUIApi, name: str | None, scheduler: str
) -> None:
    override = {"sd_model_checkpoint": "sd15 [0123456789]"}
    result = api.txt2img(prompt="a boat", sampler_name=name, seed=3, override_settings=override, **SMALL)
    assert told(result) == scheduler
    assert result.info["sd_model_name"] == "sd15"
    assert result.info["warnings"] == []
    assert api.util_get_current_model() == "tiny"


def told(result: webuiapi.WebUIApiResult) -> Any:
    """The scheduler's class in the recipe of the first picture."""
    return json.loads(result.image.info["darkroom"])["scheduler"]


def test_a_second_pass_enlarges_and_draws_over(api: webuiapi.WebUIApi) -> None:
    result = api.txt2img(prompt="a boat", enable_hr=True, hr_scale=2, denoising_strength=0.5, seed=2, **SMALL)
    assert result.image.size == (128, 128)
    assert (result.info["width"], result.info["denoising_strength"]) == (128, 0.5)
    assert result.info["extra_generation_params"]["Hires upscale"] == 2
    assert result.info["extra_generation_params"]["Hires upscaler"] == "darkroom-x4"
    assert any("Latents are not enlarged" in warning for warning in result.info["warnings"])


def test_a_second_pass_may_name_its_size_and_upscaler(api: webuiapi.WebUIApi) -> None:
    size = {"hr_resize_x": 192, "hr_resize_y": 192}
    result = api.txt2img(prompt="a boat", enable_hr=True, hr_upscaler="Lanczos", denoising_strength=0, **size, **SMALL)
    assert result.image.size == (192, 192)
    assert result.info["extra_generation_params"]["Hires upscaler"].lower() == "lanczos"


def test_a_picture_is_drawn_over_with_a_strength(api: webuiapi.WebUIApi) -> None:
    result = api.img2img([shaded(96, 64)], prompt="a boat", denoising_strength=0.5, seed=3, **(SMALL | {"steps": 4}))
    assert result.image.size == (64, 64)
    assert result.info["denoising_strength"] == 0.5
    assert result.parameters["prompt"] == "a boat"
    assert "init_images" not in result.parameters


def test_a_picture_comes_to_the_size_as_resize_mode_says(api: webuiapi.WebUIApi) -> None:
    fields = {"prompt": "a boat", "seed": 3, "denoising_strength": 0.5} | SMALL | {"steps": 4}
    made = [api.img2img([shaded(96, 64)], resize_mode=mode, **fields).image.tobytes() for mode in (0, 1, 2)]
    assert len(set(made)) == 3


def test_base64_without_a_head_will_do(url: str) -> None:
    bare = base64.b64encode(file(noisy(64, 64))).decode()
    payload = {"prompt": "a boat", "steps": 4, "init_images": [bare], "include_init_images": True}
    answer = httpx.post(f"{url}/img2img", json=payload, timeout=120)
    assert answer.status_code == 200
    assert answer.json()["parameters"]["init_images"] == [bare]


@pytest.mark.parametrize("closely", [False, True], ids=["whole picture", "only masked"])
@pytest.mark.parametrize("inverted", [False, True])
def test_what_the_mask_leaves_free_stays_bit_by_bit(api: webuiapi.WebUIApi, closely: bool, inverted: bool) -> None:
    picture, mask = noisy(64, 64), Image.new("L", (64, 64), 255 if inverted else 0)
    mask.paste(0 if inverted else 255, (16, 16, 40, 40))
    result = api.img2img(
        [picture],
        prompt="a boat",
        mask_image=mask,
        inpaint_full_res=closely,
        inpainting_mask_invert=int(inverted),
        inpainting_fill=1,
        denoising_strength=1.0,
        seed=3,
        **SMALL,
    )
    before, after = np.asarray(picture), np.asarray(result.image)
    changed = (before != after).any(axis=2)
    assert changed[18:38, 18:38].any()
    changed[16:40, 16:40] = False
    assert not changed.any()
    assert result.info["extra_generation_params"]["Inpaint area"] == ("Only masked" if closely else "Whole picture")


def test_what_is_under_the_mask_is_never_filled_and_that_is_told(api: webuiapi.WebUIApi) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 40, 40))
    result = api.img2img([noisy(64, 64)], prompt="a boat", mask_image=mask, denoising_strength=1.0, **SMALL)
    assert any("filled" in warning for warning in result.info["warnings"])


def test_what_changes_little_is_left_out_with_a_warning(api: webuiapi.WebUIApi) -> None:
    override = {"CLIP_stop_at_last_layers": 2, "eta_noise_seed_delta": 31337}
    result = api.txt2img(prompt="a [boat:ship:0.5]", s_churn=3, override_settings=override, **SMALL)
    warnings = " ".join(result.info["warnings"])
    for word in ("s_churn", "clip skip", "eta_noise_seed_delta", "[boat:ship:0.5]"):
        assert word in warnings
    assert result.info["clip_skip"] == 1


@pytest.mark.usefixtures("weights")
def test_loras_in_the_prompt_take_part_and_are_no_words(api: webuiapi.WebUIApi) -> None:
    fields = SMALL | {"seed": 3, "override_settings": {"sd_model_checkpoint": "sd15.safetensors"}}
    result = api.txt2img(prompt="a boat, <lora:ink-sd15:0.5>", **fields)
    assert result.info["prompt"] == "a boat"
    assert result.info["extra_generation_params"]["Lora hashes"].startswith("ink-sd15: ")
    assert result.image.tobytes() != api.txt2img(prompt="a boat", **fields).image.tobytes()
