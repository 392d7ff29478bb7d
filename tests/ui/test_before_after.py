"""Which results can be laid over the picture that they were made from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gallery.pictures import make_recipe
from ui.parts import before_after

PICTURE = f"{'0' * 64}-64x48"


@pytest.mark.parametrize(
    ("fields", "together"),
    [
        ({"image": PICTURE, "width": 64, "height": 48}, True),
        ({"image": PICTURE, "width": 128, "height": 96}, True),
        ({"image": PICTURE, "width": 64, "height": 64}, False),
        ({"image": PICTURE, "width": 128, "height": 96, "outpaint": {"right": 64, "bottom": 48}}, False),
        ({"width": 64, "height": 48}, False),
    ],
    ids=["same size", "enlarged", "another shape", "extended in proportion", "from words"],
)
def test_a_result_goes_over_what_it_was_made_from_when_both_have_one_shape(
    fields: dict[str, Any], together: bool
) -> None:
    assert before_after.goes_together(make_recipe(**fields)) is together
