"""How far apart is near, and how far is another picture."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline.events import SavedImage
from pipeline.gallery.verify import Verdict
from pipeline.recipe import HostedUse
from pipeline.rerun.changes import UNNOTED
from pipeline.rerun.judge import NEAR, Rerun, elsewhere, judged
from tests.gallery.pictures import NOON, make_recipe

INTACT = Verdict(state="intact", sentence="")


def grey(value: int, size: tuple[int, int] = (16, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (value,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def told(data: bytes, png: bytes, sha256: str = "0" * 64, **changes: object) -> Rerun:
    recipe = make_recipe(sha256=sha256, **changes)
    again = SavedImage(id="b", job_id="j", index=0, path=Path("b.png"), recipe=recipe, created_at=NOON)
    return judged(INTACT, make_recipe(), data, again, png)


def test_the_same_hash_is_identical_and_confirms_the_file_with_no_copy() -> None:
    found = told(grey(0), grey(0), make_recipe().sha256)
    assert (found.state, found.confirmed, found.again, found.changes) == ("identical", True, None, ())


def test_what_has_changed_is_told_of_identical_pixels_too() -> None:
    found = told(grey(0), grey(0), make_recipe().sha256, versions={"torch": "3.0"})
    assert (found.state, found.changes) == ("identical", ("torch was 2.13.0 and is 3.0 now.",))


@pytest.mark.parametrize(("apart", "state"), [(8, "near"), (9, "different")])
def test_thirty_decibels_are_near_and_less_is_another_picture(apart: int, state: str) -> None:
    found = told(grey(100), grey(100 + apart))
    assert found.difference is not None
    assert found.difference.psnr is not None
    assert (found.difference.psnr >= NEAR) == (state == "near")
    assert (found.state, found.confirmed) == (state, False)
    assert f"PSNR {found.difference.psnr:.1f} dB" in found.sentence
    assert found.again is not None


def test_where_nothing_that_recipes_note_has_changed_the_reason_says_so() -> None:
    assert told(grey(0), grey(1)).changes == (UNNOTED,)


def test_a_file_of_another_size_is_another_picture() -> None:
    found = told(grey(0, (8, 8)), grey(0))
    assert (found.state, found.difference) == ("different", None)
    assert found.sentence.endswith("it has another size.")


def test_pixels_that_a_changed_recipe_does_not_describe_are_near_and_not_identical() -> None:
    found = told(grey(0), grey(0))
    assert found.state == "near"
    assert "not what its recipe says" in found.sentence


@pytest.mark.parametrize(
    ("seeded", "said"),
    [(False, "takes no seed for it, so nothing makes"), (True, "one more order, which may be charged for")],
)
def test_what_a_provider_made_is_not_made_again_and_why_is_said(seeded: bool, said: str) -> None:
    used = HostedUse(provider="The Mill", host="mill.invalid", model="wheel-1", seeded=seeded)
    found = elsewhere(INTACT, used)
    assert (found.state, found.confirmed, found.job) == ("impossible", False, None)
    assert found.sentence.startswith("It is not made again.")
    assert said in found.sentence
