"""`verify` of files, with and without making them again."""

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.gallery.metadata import RECIPE_KEY, read_recipe


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def made(shell, kept) -> Path:
    """A picture of the studio, made once; a copy of it that every test may change."""
    original = kept / "original.png"
    if not original.exists():
        code, out, err = shell("generate", "a house", "--steps", "2", "--seed", "7")
        assert code == 0, err
        shutil.copy(out.strip(), original)
    return Path(shutil.copy(original, kept / "picture.png"))


def rewritten(path: Path, pixels: Image.Image | None = None, **changes) -> Path:
    """The file with other pixels or another recipe."""
    recipe = read_recipe(path).model_copy(update=changes)
    chunks = PngInfo()
    chunks.add_itxt(RECIPE_KEY, recipe.model_dump_json())
    image = pixels or Image.open(io.BytesIO(path.read_bytes()))
    image.save(path, "PNG", pnginfo=chunks)
    return path


def test_intact_pictures_exit_with_0_and_one_altered_among_them_with_1(shell, made, tmp_path):
    code, out, _ = shell("verify", str(made))
    assert (code, out.startswith(f"{made}: intact. Every pixel is as it was made on ")) == (0, True)
    pixels = Image.open(made)
    red, green, blue = pixels.getpixel((0, 0))
    pixels.putpixel((0, 0), (red ^ 1, green, blue))
    other = rewritten(Path(shutil.copy(made, tmp_path)), pixels)
    code, out, _ = shell("verify", str(made), str(other), "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(line["path"], line["state"]) for line in lines] == [(str(made), "intact"), (str(other), "altered")]


def test_what_is_not_known_exits_with_1(shell, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    code, out, _ = shell("verify", str(photo))
    assert code == 1
    assert ": unknown. It carries no settings of Darkroom" in out


def test_a_file_that_is_not_there_is_called_wrongly(shell, tmp_path):
    assert shell("verify", str(tmp_path / "none.png"))[0] == 2


def test_made_again_it_is_identical_or_the_reasons_are_told(shell, made, tmp_path):
    code, out, err = shell("verify", "--rerun", str(made))
    assert code == 0, err
    assert [line.split(". ")[0] for line in out.splitlines()] == [f"{made}: intact", f"{made}: identical"]
    other = rewritten(Path(shutil.copy(made, tmp_path)), seed=8, versions={"torch": "1.0"})
    gone = rewritten(Path(shutil.copy(made, tmp_path / "gone.png")), model="acme/nowhere")
    code, out, _ = shell("verify", "--rerun", "--json", str(other), str(gone))
    first, second = [json.loads(line) for line in out.splitlines()]
    assert (code, first["state"], first["file"]["state"]) == (1, "different", "intact")
    assert first["changes"][0].startswith("torch was 1.0 and is ")
    assert Path(first["again"]["path"]).exists()
    assert (second["state"], second["again"]) == ("impossible", None)
    assert "There is no model named “acme/nowhere”." in second["sentence"]
