"""What is refused at the door, with its field: how large a picture would become, in whatever way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import InvalidRequest
from pipeline.request import parse_request
from pipeline.settings import Settings
from pipeline.studio import Studio


@pytest.fixture
def small(make_settings: Callable[..., Settings]) -> Iterator[Studio]:
    """A studio that takes no large pictures, and starts no worker."""
    studio = Studio(make_settings(max_input_pixels=1_000_000, max_pixels=40_000))
    yield studio
    studio.close()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"outpaint": {"right": 1000, "bottom": 1000}}, "image"),
        ({"outpaint": {"right": 2000}, "upscale": {"factor": 4}}, "upscale"),
        ({"strength": 0, "upscale": {"factor": 4}}, "upscale"),
        ({"width": 256, "height": 256}, "width"),
        ({"then": [{"width": 256, "height": 256}]}, "then"),
    ],
)
def test_a_result_with_more_pixels_than_are_allowed_is_refused(
    small: Studio, fields: dict[str, Any], field: str
) -> None:
    image = small.desk.take(Image.new("RGB", (480, 320))).id
    with pytest.raises(InvalidRequest, match="DARKROOM_MAX_") as caught:
        small.check(parse_request(prompt="a house", **{"image": image} | fields))
    assert caught.value.info.field == field
