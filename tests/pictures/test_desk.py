"""Where pictures to work from are taken, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import InvalidRequest, NotFound
from pipeline.events import SavedImage
from pipeline.pictures.desk import Desk, Source
from pipeline.pictures.store import InputStore, input_id
from pipeline.request import parse_request
from tests.gallery.pictures import NOON, make_recipe
from tests.pictures.samples import file, noisy, shaded

MANY = 1_000_000
SAVED = SavedImage(id="0123456789abcdef", job_id="job", index=0, path=None, recipe=make_recipe(), created_at=NOON)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk beside a gallery of one picture."""
    return Desk(InputStore(tmp_path / "inputs"), MANY, {SAVED.id: file(noisy())}.__getitem__)


def asked(**fields: Any) -> Any:
    return parse_request(prompt="a house", **fields)


def test_a_picture_is_the_same_from_wherever_it_is_taken(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(file(noisy()))
    sources: tuple[Source, ...] = (path, path.read_bytes(), noisy(), SAVED)
    assert {desk.take(source) for source in sources} == {(input_id(noisy()), 64, 48, ())}


def test_a_mask_is_kept_as_one(desk: Desk) -> None:
    painted = Image.new("RGBA", (64, 48))
    painted.paste("red", (0, 0, 32, 48))
    for source in (painted, file(painted)):
        taken = desk.take_mask(source)
        assert desk.store.get(taken.id).mode == "L"
        assert desk.store.get(taken.id).getbbox() == (0, 0, 32, 48)
        assert taken.notes == ("Its opacity is taken for the mask.",)


@pytest.mark.parametrize("name", ["none.png", "."])
def test_a_file_that_cannot_be_read_is_told_by_its_name(desk: Desk, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=str(tmp_path)):
        desk.take(tmp_path / name)


def test_pictures_among_the_fields_of_a_request_are_taken_and_all_else_stays(desk: Desk) -> None:
    mask = noisy().convert("L")
    fields = desk.named({"image": noisy(), "mask": mask, "width": 64})
    assert fields == {"image": input_id(noisy()), "mask": input_id(mask), "width": 64}
    assert desk.named(fields) == fields


def test_a_request_for_a_picture_that_is_not_here_is_refused(desk: Desk) -> None:
    image = desk.take(noisy()).id
    desk.check(asked(image=image))
    with pytest.raises(NotFound, match="once more"):
        desk.check(asked(image=input_id(shaded())))
    with pytest.raises(NotFound, match="once more"):
        desk.check(asked(image=image, mask=f"{'e' * 64}-64x48"))


@pytest.mark.parametrize(("gray", "sentence"), [(0, "nothing would change"), (127, "nothing"), (255, "whole picture")])
def test_a_mask_of_nothing_or_of_everything_is_refused(desk: Desk, gray: int, sentence: str) -> None:
    image, mask = desk.take(noisy()).id, desk.take_mask(Image.new("L", (64, 48), gray)).id
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        desk.check(asked(image=image, mask=mask))
    assert caught.value.info.field == "mask"


def test_a_mask_of_a_single_pixel_is_enough(desk: Desk) -> None:
    mask = Image.new("L", (64, 48))
    mask.putpixel((63, 47), 255)
    desk.check(asked(image=desk.take(noisy()).id, mask=desk.take_mask(mask).id))


def test_a_result_with_more_pixels_than_are_allowed_is_refused(desk: Desk) -> None:
    desk.check_size((1000, 1000), "image")
    with pytest.raises(InvalidRequest, match="DARKROOM_MAX_INPUT_PIXELS") as caught:
        desk.check_size((1000, 1001), "upscale")
    assert caught.value.info.field == "upscale"
