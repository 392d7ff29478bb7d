"""Comparisons as files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.compare.stored import ComparisonFiles, StoredCell, StoredComparison
from pipeline.errors import NotFound, OutputUnwritable
from tests.compare.conftest import compared

NOON = datetime(2025, 11, 21, 12, tzinfo=UTC)


def stored(number: int = 1, attempt: int = 1) -> StoredComparison:
    return StoredComparison(
        id=f"{number:016x}",
        client="ann",
        created_at=NOON + timedelta(minutes=number),
        comparison=compared({"seed": [1, 2]}),
        cells=(StoredCell(attempt=attempt), StoredCell()),
    )


def test_a_comparison_is_read_as_it_was_written_by_any_process(tmp_path: Path) -> None:
    ComparisonFiles(tmp_path / "new").put(stored())
    assert ComparisonFiles(tmp_path / "new").get(stored().id) == stored()


def test_the_newest_come_first_and_removed_ones_not_at_all(tmp_path: Path) -> None:
    files = ComparisonFiles(tmp_path)
    assert files.newest() == []
    for number in (2, 3, 1):
        files.put(stored(number))
    files.remove(stored(2).id)
    files.remove(stored(2).id)
    assert [found.id for found in files.newest()] == [stored(3).id, stored(1).id]
    with pytest.raises(NotFound):
        files.get(stored(2).id)


def test_changes_are_seen_however_quickly_they_come(tmp_path: Path) -> None:
    files = ComparisonFiles(tmp_path)
    for attempt in range(1, 10):  # files of one length, written within one tick of the clock
        files.put(stored(attempt=attempt))
        assert files.get(stored().id).cells[0].attempt == attempt


def test_what_another_process_changes_is_seen(tmp_path: Path) -> None:
    files = ComparisonFiles(tmp_path)
    files.put(stored())
    assert files.get(stored().id) == stored()
    ComparisonFiles(tmp_path).put(stored(attempt=10))
    assert files.get(stored().id) == stored(attempt=10)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match="could not be stored"):
        ComparisonFiles(tmp_path / "file").put(stored())


def test_only_cells_without_a_job_are_left_to_queue() -> None:
    half = stored().with_jobs({0: "job"}).model_copy(update={"queued": False})
    assert [place for place, _ in half.requests_left()] == [1]
    assert [cell.job for cell in half.with_jobs({1: "other"}).cells] == ["job", "other"]


def test_asking_again_counts_up_and_a_failed_try_keeps_the_count() -> None:
    done = stored().with_jobs({0: "first", 1: "second"})
    again = done.again({1})
    assert [(cell.attempt, cell.job) for cell in again.cells] == [(1, "first"), (2, None)]
    assert not again.queued
    kept = done.with_attempts_of(again)
    assert [(cell.attempt, cell.job) for cell in kept.cells] == [(1, "first"), (2, "second")]
    assert kept.queued
