"""Working from pictures the whole way: taken at the door, made by a real worker, found again, made again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import InvalidRequest, NotFound
from pipeline.events import SavedImage
from pipeline.gallery.metadata import read_recipe
from pipeline.models.upscalers import DARKROOM
from pipeline.recipe import FileUse
from pipeline.request import parse_request
from pipeline.studio import Studio
from tests.conftest import tiny_settings
from tests.models.weight_files import LORA_SD15, write

FEW = {"num_inference_steps": 2, "seed": 3}


@pytest.fixture(scope="module")
def first(shared_studio: Studio) -> SavedImage:
    [image] = shared_studio.generate("a red house", **FEW)
    return image


def test_a_chain_is_made_again_from_its_last_file_alone_in_another_studio(
    studio: Studio, first: SavedImage, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    [second] = studio.generate("a blue house", image=first, strength=0.8, **FEW)
    [last] = studio.generate("", image=second, strength=0, upscale={"factor": 2}, seed=3)
    assert studio.gallery.parent(last) == second
    assert last.path is not None
    recipe = read_recipe(last.path)
    assert recipe is not None
    with Studio(tiny_settings(tmp_path, tiny_checkpoint)) as other:
        [again] = other.replay(recipe).result()
        assert again.recipe.sha256 == last.recipe.sha256
        assert [one.recipe.prompt for one in other.gallery.recent()] == ["", "a blue house", "a red house"]


def test_a_recipe_whose_picture_is_not_kept_says_so(studio: Studio, first: SavedImage) -> None:
    recipe = first.recipe.model_copy(update={"image": "a" * 64 + "-64x64", "strength": 0.5})
    with pytest.raises(NotFound, match="is not kept here"):
        studio.replay(recipe)


def test_a_part_is_repainted_and_the_rest_stays(studio: Studio, first: SavedImage) -> None:
    before = first.open()
    mask = Image.new("L", before.size)
    mask.paste(255, (8, 8, 40, 40))
    [made] = studio.generate("a green house", image=first, mask=mask, **FEW)
    changed = (np.asarray(made.open()) != np.asarray(before)).any(axis=2)
    assert not changed[np.asarray(mask) == 0].any()
    assert changed[np.asarray(mask) == 255].any()


def test_what_cannot_be_used_is_refused_and_nothing_is_queued(
    studio: Studio, first: SavedImage, tmp_path: Path
) -> None:
    size = first.open().size
    image = studio.desk.take(first).id
    text, dot = tmp_path / "text.png", tmp_path / "dot.png"
    text.write_text("not a picture")
    Image.new("RGB", (1, 1)).save(dot)
    before = len(studio.jobs())
    cases = [
        ({"image": text}, "not a picture that can be read"),
        ({"image": dot}, "too small to work from"),
        ({"image": tmp_path / "nowhere.png"}, "cannot be read"),
        ({"image": image, "mask": Image.new("L", size)}, "The mask is empty"),
        ({"image": image, "mask": Image.new("L", size, 255)}, "covers the whole picture"),
        ({"image": image, "mask": Image.new("L", (32, 32), 255)}, "must have one size"),
        ({"image": image, "strength": 0}, "At strength 0 the picture stays as it is"),
        ({"image": image, "strength": 0, "upscale": {"factor": 4}, "outpaint": {"left": 8}}, "nothing is drawn"),
    ]
    for fields, sentence in cases:
        with pytest.raises(InvalidRequest, match=sentence):
            studio.generate("a house", **fields)
    with pytest.raises(NotFound, match="is not here"):
        studio.submit(parse_request(prompt="a house", image="b" * 64 + "-64x64"))
    assert len(studio.jobs()) == before


def test_a_picture_that_would_be_too_large_is_refused_before_the_work(studio: Studio) -> None:
    image = studio.desk.take(Image.new("RGB", (3000, 3000))).id
    with pytest.raises(InvalidRequest, match="12,000 × 12,000 pixels"):
        studio.submit(parse_request(prompt="", image=image, strength=0, upscale={"factor": 4}))


def test_what_a_network_enlarged_is_made_again_to_the_byte_and_its_recipe_tells_the_file(
    studio: Studio, first: SavedImage
) -> None:
    [large] = studio.generate("a red house", **FEW, upscale={"factor": 2, "upscaler": "darkroom-x4"})
    assert large.open().width == 2 * first.open().width
    assert DARKROOM.path is not None
    digest = hashlib.sha256(DARKROOM.path.read_bytes()).hexdigest()
    assert large.recipe.upscaler == FileUse(name="darkroom-x4", sha256=digest)
    [again] = studio.replay(large.recipe).result()
    assert again.recipe.sha256 == large.recipe.sha256


def test_an_upscaler_that_is_not_there_or_of_no_use_is_refused_and_nothing_is_queued(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    write(tmp_path / "weights/upscalers/ink.safetensors", LORA_SD15)
    with Studio(tiny_settings(tmp_path, tiny_checkpoint, weights=tmp_path / "weights", preload=False)) as studio:
        for name, kind, sentence in (
            ("magic", NotFound, "“magic” is not there. Choose one of: lanczos, darkroom-x4."),
            ("ink", InvalidRequest, "“ink” is a lora, not an upscaler."),
        ):
            with pytest.raises(kind, match=sentence) as caught:
                studio.generate("a house", upscale={"factor": 2, "upscaler": name})
            assert caught.value.info.field == "upscale"
        assert studio.jobs() == []
