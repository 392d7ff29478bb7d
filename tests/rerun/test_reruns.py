"""Pictures of the gallery that are made again while others wait for nothing."""

from __future__ import annotations

import pytest

from pipeline.errors import NotFound
from pipeline.events import SavedImage
from pipeline.rerun.reruns import Reruns
from pipeline.studio import Studio


def test_it_is_under_way_with_its_job_and_then_there_is_a_verdict(studio: Studio, image: SavedImage) -> None:
    reruns = Reruns(studio)
    with pytest.raises(NotFound, match="has not been made again"):
        reruns.find(image.id)
    started = reruns.start(image.id)
    assert (started.state, started.file.state) == ("making", "intact")
    found = reruns.wait(image.id)
    assert (found.state, found.job) == ("identical", started.job)


def test_asking_twice_makes_one_copy(studio: Studio, image: SavedImage) -> None:
    reruns, before = Reruns(studio), len(studio.jobs())
    first, second = reruns.start(image.id), reruns.start(image.id, client="another")
    assert second == first
    assert len(studio.jobs()) == before + 1
    assert reruns.wait(image.id).confirmed


def test_a_picture_that_is_not_there_is_no_rerun(studio: Studio) -> None:
    with pytest.raises(NotFound):
        studio.reruns.start("0" * 16)
