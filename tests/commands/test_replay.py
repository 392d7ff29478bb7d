"""`generate` from a picture, and `replay` of what came of it."""

import json
from pathlib import Path

from PIL import Image


def test_a_picture_is_worked_from_and_made_again_from_its_file(shell, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64), "teal").save(photo)
    code, out, err = shell(
        "generate",
        "a house",
        "--image",
        str(photo),
        "--strength",
        "0.6",
        "--steps",
        "2",
        "--seed",
        "7",
        "--upscale",
        "2",
        "--upscaler",
        "darkroom-x4",
        "--json",
    )
    assert code == 0, err
    made = json.loads(out)
    assert (made["recipe"]["width"], made["recipe"]["strength"]) == (128, 0.6)
    assert made["recipe"]["upscaler"]["name"] == "darkroom-x4"

    code, out, err = shell("replay", made["path"], "--json")
    assert code == 0, err
    assert json.loads(out)["sha256"] == made["sha256"]


def test_what_is_no_picture_of_the_studio_is_told_in_a_line(shell, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    code, out, err = shell("replay", str(photo))
    assert (code, out) == (2, "")
    assert "carries no settings of Darkroom" in err


def test_options_about_pictures_that_cannot_be_read_name_themselves(shell, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    cases = {"--outpaint": "1,2,3", "--upscale": "nine", "--mask": str(tmp_path / "nowhere.png"), "--strength": "0"}
    for option, value in cases.items():
        code, _, err = shell("generate", "x", "--image", str(photo), option, value)
        assert code == 2, err
        assert f"Error: {option}: " in err
    assert list(Path(tmp_path).glob("outputs/**/*seed*.png")) == []


def test_an_upscaler_needs_a_factor_and_a_name_that_the_listing_has(shell):
    listed = [one["name"] for one in json.loads(shell("models", "upscalers", "--json")[1])]
    assert listed == ["lanczos", "darkroom-x4"]
    assert "An upscaler alone enlarges nothing." in shell("generate", "x", "--upscaler", listed[1])[2]
    code, _, err = shell("generate", "x", "--upscale", "2", "--upscaler", "magic")
    assert code != 0
    assert "Choose one of: lanczos, darkroom-x4." in err
