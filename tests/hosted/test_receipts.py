"""What is written down about orders, and found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.hosted.receipts import Arrived, Begun, Receipts
from tests.gallery.pictures import make_recipe

CALL = Begun(job_id="job", index=2, count=3)


@pytest.fixture
def receipts(tmp_path: Path) -> Receipts:
    return Receipts(tmp_path / "hosted")


def arrived(index: int = 0, data: bytes = b"file") -> Arrived:
    return Arrived("job", index, make_recipe(seed=index), data)


def put(receipts: Receipts, one: Arrived) -> None:
    receipts.keep(one.job_id, one.index, one.data)
    receipts.note(one)


def test_a_call_is_known_until_it_ends(receipts: Receipts) -> None:
    assert receipts.begun("job") == []
    receipts.begin(CALL)
    assert receipts.begun("job") == [CALL]
    receipts.end(CALL)
    assert receipts.begun("job") == []


def test_the_providers_id_of_a_call_takes_the_place_of_none(receipts: Receipts) -> None:
    receipts.begin(CALL)
    receipts.begin(CALL.model_copy(update={"task": "t-1"}))
    assert [call.task for call in receipts.begun("job")] == ["t-1"]


def test_calls_come_in_the_order_of_their_pictures_and_of_no_other_job(receipts: Receipts) -> None:
    for index in (10, 2):
        receipts.begin(CALL.model_copy(update={"index": index}))
    receipts.begin(CALL.model_copy(update={"job_id": "other"}))
    assert [call.index for call in receipts.begun("job")] == [2, 10]


def test_a_picture_is_kept_as_it_was_sent_until_it_is_settled(receipts: Receipts) -> None:
    put(receipts, arrived())
    assert receipts.file("job", 0).read_bytes() == b"file"
    assert list(receipts.left()) == [arrived()]
    receipts.settle("job", 0)
    assert list(receipts.left()) == []
    assert not receipts.file("job", 0).exists()


def test_a_picture_outlives_a_crash_before_its_recipe_was_noted(receipts: Receipts) -> None:
    receipts.keep("job", 0, b"file")
    assert receipts.file("job", 0).read_bytes() == b"file"


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
def test_a_damaged_note_hides_no_other(receipts: Receipts, damage: bytes) -> None:
    for index in range(3):
        put(receipts, arrived(index))
    receipts.file("job", 1).with_suffix(".json").write_bytes(damage)
    receipts.file("job", 2).unlink()
    assert [one.index for one in receipts.left()] == [0]


def test_a_damaged_note_of_a_call_is_passed_over(receipts: Receipts) -> None:
    receipts.begin(CALL)
    receipts.file("job", 2).with_suffix(".call").write_text("{")
    assert receipts.begun("job") == []


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "hosted").write_text("a file where the folder should be")
    receipts = Receipts(tmp_path / "hosted")
    receipts.begin(CALL)
    put(receipts, arrived())
    receipts.settle("job", 0)
    receipts.end(CALL)
    assert list(receipts.left()) == []
    assert caplog.text.count("A receipt could not be written") == 3
