"""ControlNets the whole way: named at the door, used by a real worker, told in the recipe, used again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DarkroomError
from pipeline.pictures.edges import canny
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from tests.checkpoints.controlnets import controlnet
from tests.conftest import tiny_settings

NET = "lines"
FEW: dict[str, Any] = {"num_inference_steps": 2, "seed": 3}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Studio]:
    """A studio with a net of one's own for its model."""
    folder = tmp_path_factory.mktemp("controls")
    controlnet("sd3", tiny_checkpoint, folder / "weights" / "controlnet" / NET)
    with Studio(tiny_settings(folder, tiny_checkpoint, weights=folder / "weights")) as studio:
        yield studio


@pytest.fixture
def picture() -> Image.Image:
    """A white square on black."""
    image = Image.new("RGB", (96, 64))
    image.paste("white", (24, 16, 72, 48))
    return image


def test_a_picture_follows_a_map_and_its_recipe_makes_the_same_bytes_again(
    studio: Studio, picture: Image.Image
) -> None:
    [free] = studio.generate("a house", **FEW)
    [made] = studio.generate("a house", controls=[{"net": NET, "image": picture, "scale": 0.8, "end": 0.5}], **FEW)
    [use] = made.recipe.controls
    assert (use.net, use.scale, use.end) == (NET, 0.8, 0.5)
    assert np.array_equal(studio.inputs.get(use.image), picture)
    [again] = studio.replay(made.recipe).result()
    assert again.recipe.sha256 == made.recipe.sha256 != free.recipe.sha256
    assert again.recipe.controls == made.recipe.controls
    assert use.image in studio.gallery.input_ids()


def test_edges_are_found_at_the_size_that_is_drawn_and_are_always_the_same(
    studio: Studio, picture: Image.Image
) -> None:
    taken = studio.desk.take_edges(picture, size=(64, 64))
    assert (taken.width, taken.height) == (96, 64)
    assert np.array_equal(studio.inputs.get(taken.id), canny(picture))
    assert studio.desk.take_edges(picture.resize((960, 640), Image.Resampling.NEAREST), size=(64, 64)).width == 96
    assert studio.desk.take_edges(picture, 0.3, 4.0).id != taken.id


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"net": "nowhere"}, "There is no ControlNet named “nowhere”"),
        ({"net": "demo-canny"}, "was made for demo, and not for Tiny"),
        ({"net": "lllyasviel/control_v11p_sd15_canny"}, "is for sd15, and Tiny is sd3"),
        ({"net": NET, "start": 0.5, "end": 0.5}, "A map cannot end before it begins"),
        ({"net": NET, "image": "a" * 64 + "-64x64"}, "is not here"),
        ({"net": NET, "image": Path("nowhere.png")}, "cannot be read"),
    ],
)
def test_a_map_that_cannot_be_followed_is_refused_with_its_field_and_nothing_is_queued(
    studio: Studio, picture: Image.Image, fields: dict[str, Any], sentence: str
) -> None:
    before = len(studio.jobs())
    with pytest.raises(DarkroomError, match=sentence) as caught:
        studio.generate("a house", controls=[{"image": picture} | fields])
    assert caught.value.info.field == "controls"
    assert len(studio.jobs()) == before


def test_a_map_beside_a_picture_is_refused_where_the_family_follows_maps_from_words_alone(
    studio: Studio, picture: Image.Image
) -> None:
    with pytest.raises(DarkroomError, match="from words alone"):
        studio.generate("a house", image=picture, controls=[{"net": NET, "image": picture}])


def test_a_net_that_is_torn_is_not_listed_and_not_used(studio: Studio, picture: Image.Image) -> None:
    torn = studio.settings.weights / "controlnet" / "torn"
    torn.mkdir()
    (torn / "config.json").write_text('{"_class_name": "SD3ControlNetModel"}')
    record = studio.models.find("tiny")
    assert [net.id for net in studio.models.controlnets.fitting(record)] == [NET]
    request = GenerationRequest(prompt="a house", controls=({"net": "torn", "image": studio.desk.take(picture).id},))
    with pytest.raises(DarkroomError, match="no ControlNet named “torn”"):
        studio.submit(request)
