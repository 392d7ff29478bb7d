import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ErrorInfo
from pipeline.events import (
    EVENT,
    LAST,
    Cancelled,
    Failed,
    Fetching,
    Finished,
    Loading,
    Preview,
    Quantized,
    Queued,
    Saved,
    SavedImage,
    Step,
    Unquantized,
    Warned,
)
from tests.gallery.pictures import make_recipe


def saved_image(path: Path | None, unsaved: str = "") -> SavedImage:
    recipe = make_recipe()
    return SavedImage(
        id="1", job_id="job", index=0, path=path, unsaved=unsaved, recipe=recipe, created_at=recipe.created_at
    )


EVENTS = [
    Queued(position=1),
    Loading(component="vae", done=1, total=3),
    Fetching(file="vae/model.safetensors", done=1, total=3, bytes_per_second=1e6, seconds_left=None),
    Quantized(
        component="transformer",
        precision="nf4",
        parameters=100,
        bytes_before=200,
        bytes_after=60,
        seconds=0.5,
        cached=False,
        largest_left=(Unquantized(name="norm", layers=2, parameters=8, reason="no linear layer"),),
    ),
    Step(image_index=0, step=1, total=28, seconds_left=2.5),
    Preview(image_index=0, jpeg=b"\xff\xd8\x00"),
    Saved(image=saved_image(Path("a.png"))),
    Warned(message="Careful."),
    Failed(error=ErrorInfo(code="out_of_memory", message="Too large.")),
    Cancelled(),
    Finished(),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_survives_json_with_its_type(event):
    text = EVENT.dump_json(event)
    assert json.loads(text)["type"] == event.type
    assert EVENT.validate_json(text) == event


def test_no_two_events_share_a_type():
    assert len({event.type for event in EVENTS}) == len(EVENTS)


def test_an_unknown_type_is_refused():
    with pytest.raises(ValidationError):
        EVENT.validate_json('{"type": "exploded"}')


def test_exactly_three_events_end_a_job():
    assert [event.type for event in EVENTS if isinstance(event, LAST)] == ["failed", "cancelled", "finished"]


def test_a_picture_that_was_never_saved_says_so_when_opened():
    with pytest.raises(FileNotFoundError, match="the disk is full"):
        saved_image(None, "the disk is full").open()


def test_a_picture_that_was_moved_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        saved_image(tmp_path / "gone.png").open()


def test_a_picture_shows_itself_in_a_notebook_and_says_little_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"the file")
    image = saved_image(file)
    assert image._repr_png_() == b"the file"
    assert repr(image) == f"SavedImage(seed={image.seed}, size='16 × 8', path='{file}')"


def test_a_picture_whose_file_is_gone_is_shown_in_words_alone(tmp_path: Path) -> None:
    for image in (saved_image(tmp_path / "gone.png"), saved_image(None, "the disk is full")):
        assert image._repr_png_() is None
