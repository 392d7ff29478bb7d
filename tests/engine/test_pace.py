"""The expected rest of a job, with a clock of our own."""

from __future__ import annotations

import pytest

from pipeline.engine.pace import Pace


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: its last entry is now."""
    clock = [0.0]
    monkeypatch.setattr("pipeline.engine.pace.perf_counter", lambda: clock[-1])
    return clock


def test_the_rest_counts_steps_and_pictures_to_come(at: list[float]) -> None:
    pace = Pace(pictures=2)
    at.append(10.0)
    pace.begin()
    at.append(12.0)  # two seconds of encoding
    pace.denoising()
    at.append(16.0)
    pace.denoising()
    assert pace.left(step=2, total=10) == 8 * 2 + 10 * 2
    at.append(32.0)
    assert pace.left(step=10, total=10) == 20
    at.append(35.0)  # three seconds of decoding
    assert pace.end() == 23


def test_later_pictures_know_what_encoding_and_decoding_take(at: list[float]) -> None:
    pace = Pace(pictures=3)
    for start in (0.0, 100.0):
        at.append(start)
        pace.begin()
        at.append(start + 1)
        pace.denoising()
        at.append(start + 5)
        left = pace.left(step=4, total=4)
        at.append(start + 7)
        pace.end()
    assert left == 4 + 3


def test_another_stage_has_a_pace_of_its_own(at: list[float]) -> None:
    pace = Pace(pictures=1)
    at.append(0.0)
    pace.begin()
    at.append(0.0)
    pace.denoising()
    for now in (1.0, 2.0):
        at.append(now)
        pace.left(step=round(now), total=5)
    at.append(12.0)
    assert pace.left(step=3, total=5, before=2) == 2 * 10
    at.append(22.0)
    assert pace.left(step=4, total=5, before=2) == 10
