"""Sizes that providers make, and the records of what they offer."""

from __future__ import annotations

import math

import pytest

from pipeline.errors import ModelRetired
from pipeline.inputs import unseen
from pipeline.models.hosted import HostedModel
from pipeline.models.hosted_size import HostedSize
from pipeline.models.registry import Registry
from pipeline.request import GenerationRequest

REGISTRY = Registry.read()
SHAPED = [model for model in REGISTRY.hosted if model.size.ratios]
LIVE = [model for model in REGISTRY.hosted if model.retires is None]
PICTURES = [(640, 480), (480, 640), (1000, 1000), (3000, 1000), (1024, 359), (4000, 200), (8192, 512), (64, 8192)]
"""Of pictures that somebody works from, up to the longest ones."""


def size(**fields: object) -> HostedSize:
    """A rule for any size from 64 to 8192 pixels, but for `fields`."""
    return HostedSize.model_validate({"native": (1024, 1024), "multiple": 1, "min": 64, "max": 8192} | fields)


def by_id(models: list[HostedModel]) -> object:
    return pytest.mark.parametrize("model", models, ids=lambda model: model.id)


@by_id(SHAPED)
def test_each_offered_size_asks_for_its_own_ratio_and_resolution(model: HostedModel) -> None:
    names = [model.size.nearest(*one) for one in model.size.offered]
    assert len(set(names)) == len(names)
    assert [model.size.made(*one) for one in model.size.offered] == list(model.size.offered)


@by_id(LIVE)
def test_every_offered_size_can_be_asked_for(model: HostedModel) -> None:
    for width, height in model.size.offered or [model.size.native]:
        model.check(GenerationRequest(prompt="a boat", width=width, height=height))


def test_the_ratio_is_told_by_the_shape_and_the_resolution_by_the_pixels() -> None:
    rule = size(ratios=("1:1", "16:9", "9:16"), resolutions={"1K": 1024, "2K": 2048})
    assert rule.nearest(1920, 1080) == ("16:9", "1K")
    assert rule.nearest(1080, 1920) == ("9:16", "1K")
    assert rule.nearest(2560, 1440) == ("16:9", "2K")
    assert rule.nearest(512, 500) == ("1:1", "1K")


def test_a_size_of_which_a_request_cannot_speak_is_not_offered() -> None:
    rule = size(ratios=("1:1", "8:1"), resolutions={"4K": 4096})
    assert rule.offered == ((4096, 4096),)


@by_id([model for model in LIVE if "image" in model.tasks])
@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: f"{picture[0]}x{picture[1]}")
def test_a_picture_to_work_from_gives_its_shape(model: HostedModel, picture: tuple[int, int]) -> None:
    request = GenerationRequest(prompt="a boat", image=unseen(picture))
    model.check(request)
    width, height = model.asked_size(request)
    assert model.size.shapes or width * height == pytest.approx(math.prod(model.size.native), rel=0.05)
    assert (width > height) == (picture[0] > picture[1])


def test_the_shape_of_a_picture_is_kept_where_any_is_made() -> None:
    assert size(multiple=8).like(1920, 1080) == (1368, 768)


def test_a_picture_that_is_too_long_gets_the_longest_shape() -> None:
    assert size(multiple=16, max_aspect=3.0).like(4000, 200) == size(multiple=16, max_aspect=3.0).like(3000, 1000)


def test_a_named_size_wins_over_that_of_the_picture() -> None:
    model = SHAPED[0]
    request = GenerationRequest(prompt="a boat", image=unseen((640, 480)), width=1024, height=1024)
    assert model.asked_size(request) == (1024, 1024)


@by_id([model for model in REGISTRY.hosted if model.replacement])
def test_what_replaces_a_model_is_offered_itself(model: HostedModel) -> None:
    assert model.replacement in [one.id for one in LIVE]


def test_a_retired_model_names_its_day_and_its_replacement() -> None:
    model = REGISTRY.find_any("imagen-4.0-generate-001")
    with pytest.raises(ModelRetired, match=r"17 August 2026.*google/gemini-nano-banana-2\.1"):
        model.check(GenerationRequest(prompt="a boat"))
