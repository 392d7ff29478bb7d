"""Pictures made larger, and the settings in them, for A1111's clients."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
import webuiapi
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.studio import Studio
from tests.pictures.samples import file, noisy, shaded

A1111 = (
    "a red house, by a lake\nNegative prompt: fog, rain\n"
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x768, Model: dream, "
    'Hashes: "half a \\ud800 character"'
)


def enlarged(image: Image.Image, factor: int) -> bytes:
    size = image.width * factor, image.height * factor
    return image.resize(size, Image.Resampling.LANCZOS).tobytes()


def base64_of(image: Image.Image) -> str:
    return base64.b64encode(file(image)).decode()


def test_a_picture_is_enlarged_with_no_model(api: webuiapi.WebUIApi, studio: Studio) -> None:
    result = api.extra_single_image(shaded(), upscaler_1="Lanczos", upscaling_resize=3)
    assert result.image.tobytes() == enlarged(shaded(), 3)
    assert "Lanczos" in result.info
    assert studio.jobs(limit=1)[0].request.task == "enlarge"


def test_a_network_enlarges_to_a_size_that_is_a_whole_number_of_times_larger(api: webuiapi.WebUIApi) -> None:
    size = {"resize_mode": 1, "upscaling_resize_w": 96, "upscaling_resize_h": 64}
    result = api.extra_single_image(shaded(48, 32), upscaler_1="darkroom-x4", **size)
    assert result.image.size == (96, 64)


def test_several_pictures_come_back_in_their_order(api: webuiapi.WebUIApi) -> None:
    result = api.extra_batch_images([shaded(), noisy()], upscaler_1="Lanczos", upscaling_resize=2)
    assert [image.tobytes() for image in result.images] == [enlarged(shaded(), 2), enlarged(noisy(), 2)]


def test_without_an_upscaler_a_picture_comes_back_as_it_was(api: webuiapi.WebUIApi) -> None:
    result = api.extra_single_image(shaded())
    assert result.image.tobytes() == shaded().tobytes()
    assert "no upscaler" in result.info
    with pytest.raises(RuntimeError, match="not a picture"):
        api.custom_post("extra-single-image", {"image": base64.b64encode(b"a text").decode()}, baseurl=True)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"upscaler_1": "R-ESRGAN 4x+"}, 404, "darkroom-x4"),
        ({"upscaling_resize": 1.5}, 422, "2, 3 or 4"),
        ({"resize_mode": 1, "upscaling_resize_w": 96, "upscaling_resize_h": 96}, 422, "2, 3 or 4"),
        ({"gfpgan_visibility": 1}, 422, "Faces"),
        ({"upscaler_2": "darkroom-x4", "extras_upscaler_2_visibility": 0.5}, 422, "One upscaler"),
        ({"image": ""}, 422, "empty"),
        ({"image": base64.b64encode(b"a text").decode()}, 422, "not a picture"),
    ],
)
def test_what_cannot_be_enlarged_as_asked_is_refused_and_not_queued(
    url: str, studio: Studio, fields: dict[str, Any], status: int, words: str
) -> None:
    before = [state.id for state in studio.jobs()]
    body = {"image": base64_of(shaded()), "upscaler_1": "Lanczos"} | fields
    answer = httpx.post(f"{url}/extra-single-image", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    several = {"imageList": [{"data": base64_of(shaded()), "name": "a"}, {"data": "!", "name": "b"}]}
    assert httpx.post(f"{url}/extra-batch-images", json={"upscaler_1": "Lanczos"} | several).status_code == 422
    assert [state.id for state in studio.jobs()] == before


def test_the_settings_of_our_pictures_are_read(api: webuiapi.WebUIApi) -> None:
    made = api.txt2img(prompt="a boat", negative_prompt="fog", seed=7, steps=2, width=64, height=64)
    read = api.png_info(made.image)
    assert read.info == made.info["infotexts"][0]
    assert (read.parameters["Prompt"], read.parameters["Negative prompt"]) == ("a boat", "fog")
    assert (read.parameters["Seed"], read.parameters["Size-1"], read.parameters["Size-2"]) == ("7", "64", "64")
    assert set(read.json["items"]) == {"darkroom", "darkroom-id"}


def test_the_settings_of_its_own_pictures_are_read(url: str) -> None:
    chunks = PngInfo()
    chunks.add_text("parameters", A1111)
    data = base64.b64encode(file(shaded(), pnginfo=chunks)).decode()
    told = httpx.post(f"{url}/png-info", json={"image": f"data:image/png;base64,{data}"}).json()
    assert told["info"] == A1111
    assert told["parameters"]["Schedule type"] == "Karras"
    assert told["parameters"]["Size-2"] == "768"
    assert told["parameters"]["Hashes"] == "half a ? character"


def test_a_picture_without_settings_says_nothing_and_a_text_is_no_picture(url: str) -> None:
    told = httpx.post(f"{url}/png-info", json={"image": base64_of(shaded())}).json()
    assert told == {"info": "", "items": {}, "parameters": {}}
    answer = httpx.post(f"{url}/png-info", json={"image": base64.b64encode(b"a text").decode()})
    assert answer.status_code == 422


def test_no_model_describes_pictures(api: webuiapi.WebUIApi) -> None:
    with pytest.raises(RuntimeError, match="No model here describes"):
        api.interrogate(shaded())


def test_what_comes_back_is_a_png_with_its_settings(api: webuiapi.WebUIApi) -> None:
    result = api.extra_single_image(shaded(), upscaler_1="Lanczos")
    image = Image.open(io.BytesIO(base64.b64decode(result.json["image"])))
    assert image.format == "PNG"
    assert "darkroom" in image.info
