"""What is not done here: a 4xx with a sentence, and nothing is queued."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
import webuiapi
from PIL import Image

from pipeline.studio import Studio
from tests.pictures.samples import file, noisy

PICTURE = base64.b64encode(file(noisy(64, 64))).decode()
MASK = Image.new("L", (64, 64))
MASK.paste(255, (16, 16, 40, 40))
MASKED = {"init_images": [PICTURE], "mask": base64.b64encode(file(MASK)).decode()}
HIRES = {"enable_hr": True, "hr_upscaler": "Lanczos"}

TEXT: list[tuple[dict[str, Any], int, str]] = [
    ({"prompt": ""}, 422, "prompt is empty"),
    ({"sampler_name": "DDIM"}, 422, "Choose one of: Euler, Heun, DPM++ 2M"),
    ({"sampler_name": "Euler b"}, 422, "Choose one of: Euler"),
    ({"sampler_name": "DPM++ 2M Karras"}, 422, "Karras"),
    ({"sampler_name": "Euler", "scheduler": "SGM Uniform"}, 422, "SGM Uniform"),
    ({"width": 512, "height": 768}, 422, "64 to 256 pixels"),
    ({"steps": 0}, 422, "steps"),
    ({"cfg_scale": "much"}, 422, "cfg_scale"),
    ({"seed": 2**32}, 422, "seed"),
    ({"batch_size": 8, "n_iter": 8}, 422, "64 pictures"),
    ({"restore_faces": True}, 422, "restore_faces"),
    ({"tiling": True}, 422, "tiling"),
    ({"styles": ["Anime"]}, 422, "styles"),
    ({"refiner_checkpoint": "xl-refiner"}, 422, "refiner_checkpoint"),
    ({"firstphase_width": 128}, 422, "enable_hr"),
    ({"seed_resize_from_w": 128}, 422, "Seeds are not resized"),
    ({"script_name": "X/Y/Z plot", "script_args": [1]}, 422, "X/Y/Z plot"),
    ({"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face"}]}}}, 422, "ADetailer"),
    ({"alwayson_scripts": {"ControlNet": {"args": [{"image": PICTURE}]}}}, 422, "/api/v1/jobs"),
    ({"prompt": "a boat <lora:nowhere:0.5>"}, 404, "nowhere"),
    ({"override_settings": {"sd_model_checkpoint": "dream"}}, 404, "dream"),
    ({"override_settings": {"sd_vae": "nowhere.pt"}}, 404, "nowhere"),
    ({"n_iter": 10**4000}, 422, "n_iter"),
    ({"sampler_name": "half a \ud800 character"}, 422, "sampler_name"),
    ({"override_settings": {"half a \ud800 character": 1}}, 422, "override_settings"),
    ({"alwayson_scripts": {"half a \ud800 character": {}}}, 422, "alwayson_scripts"),
    (HIRES | {"hr_scale": 1.5}, 422, "2, 3 or 4"),
    (HIRES | {"width": 64, "height": 64, "hr_resize_x": 128, "hr_resize_y": 64}, 422, "2, 3 or 4"),
    (HIRES | {"hr_upscaler": "SwinIR 4x"}, 404, "darkroom-x4"),
    (HIRES | {"hr_prompt": "a ship"}, 422, "hr_prompt"),
    (HIRES | {"steps": 4, "hr_second_pass_steps": 9}, 422, "hr_second_pass_steps"),
    (HIRES | {"hr_checkpoint_name": "other"}, 422, "hr_checkpoint_name"),
]
IMAGE: list[tuple[dict[str, Any], int, str]] = [
    ({}, 422, "init_images"),
    ({"init_images": []}, 422, "no pictures"),
    ({"init_images": [PICTURE, PICTURE]}, 422, "2 pictures"),
    ({"init_images": ["data:image/png;base64,%%%"]}, 422, "base64"),
    ({"init_images": ["https://example.org/a.png"]}, 422, "nothing is fetched"),
    ({"init_images": [base64.b64encode(b"a text").decode()]}, 422, "not a picture"),
    ({"init_images": [PICTURE], "resize_mode": 3}, 422, "resize_mode"),
    ({"init_images": [PICTURE], "denoising_strength": 0}, 422, "strength 0"),
    ({"init_images": [PICTURE], "denoising_strength": 1.5}, 422, "denoising_strength"),
    (MASKED | {"inpainting_fill": 2}, 422, "inpainting_fill"),
    (MASKED | {"mask": base64.b64encode(file(Image.new("L", (32, 32), 99))).decode()}, 422, "one size"),
    (MASKED | {"mask": base64.b64encode(file(Image.new("L", (64, 64)))).decode()}, 422, "mask is empty"),
]


def refused(url: str, route: str, body: dict[str, Any], status: int, words: str) -> None:
    content = json.dumps({"prompt": "a boat"} | body)  # which httpx writes in a way that has no half characters
    answer = httpx.post(f"{url}/{route}", content=content, timeout=60)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "detail", "body", "errors"}
    assert words.lower() in answer.json()["detail"].lower()


CASES = [*(("txt2img", *case) for case in TEXT), *(("img2img", *case) for case in IMAGE)]


@pytest.mark.parametrize(("route", "body", "status", "words"), CASES, ids=lambda value: ascii(value)[:40])
def test_what_cannot_be_drawn_as_asked(
    url: str, studio: Studio, route: str, body: dict[str, Any], status: int, words: str
) -> None:
    before = [state.id for state in studio.jobs()]
    refused(url, route, body, status, words)
    assert [state.id for state in studio.jobs()] == before


def test_webuiapi_raises_with_the_sentence(api: webuiapi.WebUIApi) -> None:
    with pytest.raises(RuntimeError, match="Choose one of: Euler"):
        api.txt2img(prompt="a boat", sampler_name="Restart")


def test_extensions_that_are_off_are_no_reason_to_refuse(url: str) -> None:
    off = {"ADetailer": {"args": [False]}, "ControlNet": {"args": []}, "refiner": {"args": [False, "", 0]}}
    body = {"prompt": "a boat", "steps": 2, "alwayson_scripts": off}
    assert httpx.post(f"{url}/txt2img", json=body, timeout=60).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"a boat"', b"\xff"])
def test_a_body_that_is_no_object_is_refused_in_the_same_shape(url: str, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{url}/txt2img", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"error", "detail", "body", "errors"}
