"""What the log tells of a job, and what it keeps to itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import ErrorInfo
from pipeline.events import (
    Cancelled,
    Event,
    Failed,
    Fetching,
    Finished,
    Loading,
    Preview,
    Quantized,
    Saved,
    SavedImage,
    Step,
    Warned,
)
from pipeline.jobs import log
from pipeline.jobs.log import JobLog
from pipeline.request import GenerationRequest
from tests.gallery.pictures import make_recipe

SECRET = GenerationRequest(prompt="my secret idea", negative_prompt="not this", width=64, num_images=2)


def texts(job_log: JobLog, job_id: str = "job") -> list[str]:
    return [line.text for line in job_log.of(job_id)]


def saved(unsaved: str = "") -> Saved:
    path = None if unsaved else Path("/outputs/tiny/20260101_seed7.png")
    image = SavedImage(
        id="i", job_id="job", index=1, path=path, unsaved=unsaved, recipe=make_recipe(), created_at=datetime.now(UTC)
    )
    return Saved(image=image)


def test_a_job_is_told_from_its_settings_to_its_end() -> None:
    job_log = JobLog()
    job_log.queued("job", SECRET, "tiny", 7)
    job_log.begun("job", "worker 1 on cpu (2 cores)")
    story: list[Event] = [
        Fetching(file="unet.safetensors", done=0, total=9, bytes_per_second=0, seconds_left=None),
        Fetching(file="unet.safetensors", done=9, total=9, bytes_per_second=0, seconds_left=None),
        Loading(component="unet", done=0, total=2),
        Loading(component="vae", done=1, total=2),
        Loading(component="pipeline", done=2, total=2),
        Step(image_index=0, step=1, total=4, seconds_left=1),
        Step(image_index=0, step=2, total=4, seconds_left=1),
        Preview(image_index=0, jpeg=b""),
        saved(),
        Finished(),
    ]
    for event in story:
        job_log.note("job", event)

    told = texts(job_log)

    assert told[:2] == ["Queued: tiny, seed 7, width 64, num_images 2", "Begun by worker 1 on cpu (2 cores)"]
    assert [words.rsplit(" in ")[0] for words in told[2:5]] == ["unet.safetensors fetched", "unet loaded", "vae loaded"]
    assert told[5].startswith("First step done ")
    assert told[6].startswith("Picture 2 saved: 20260101_seed7.png, made in ")
    assert told[7].startswith("Finished ")
    assert len(told) == 8


@pytest.mark.parametrize(("cached", "how"), [(False, "quantised in nf4"), (True, "read from the cache in nf4")])
def test_quantising_is_told_with_its_bytes(cached: bool, how: str) -> None:
    job_log = JobLog()
    event = Quantized(
        component="transformer",
        precision="nf4",
        parameters=1,
        bytes_before=4_000_000_000,
        bytes_after=1_100_000_000,
        seconds=3.2,
        cached=cached,
        largest_left=(),
    )
    job_log.note("job", event)
    assert texts(job_log) == [f"transformer {how}: 4,000 MB became 1,100 MB, 3.2 s"]


def test_what_went_wrong_stands_out() -> None:
    job_log = JobLog()
    error = ErrorInfo(code="worker_died", message="It ended.")
    for event in (Warned(message="Mind the gap."), saved("The disk is full."), Failed(error=error)):
        job_log.note("job", event)
    levels = [(line.level, line.text) for line in job_log.of("job")]
    assert ("warning", "Mind the gap.") in levels
    assert ("warning", "The disk is full.") in levels
    assert ("error", "Failed (worker_died): It ended.") in levels


def test_no_prompt_gets_into_the_log_whoever_quotes_it(tmp_path: Path) -> None:
    job_log = JobLog(tmp_path / "studio.log")
    job_log.queued("job", SECRET, "tiny", 7)
    job_log.note("job", Warned(message="“secret idea” is not read; my secret idea is too long, and so is not this."))
    job_log.printed("job", ["Token indices of: my secret idea"])
    written = (tmp_path / "studio.log").read_text()
    assert "Queued: tiny" in written
    assert "“…” is not read; … is too long" in written
    for words in ("secret", "not this"):
        assert words not in written
        assert not [line for line in job_log.of("job") if line.level != "printed" and words in line.text]
    assert [line.text for line in job_log.of("job") if line.level == "printed"] == ["Token indices of: my secret idea"]


def test_the_last_jobs_are_remembered_and_others_are_forgotten() -> None:
    job_log = JobLog()
    for number in range(log.KEPT_JOBS + 5):
        job_log.note(f"job{number}", Cancelled())
    assert job_log.of("job4") == ()
    assert texts(job_log, "job5") == ["Cancelled"]


def test_a_job_that_talks_too_much_keeps_its_last_lines() -> None:
    job_log = JobLog()
    job_log.printed("job", [f"line {number}" for number in range(log.KEPT_LINES + 3)])
    assert len(texts(job_log)) == log.KEPT_LINES
    assert texts(job_log)[0] == "line 3"


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "FILE_BYTES", 2000)
    job_log = JobLog(tmp_path / "studio.log")
    for _ in range(500):
        job_log.note("job", Warned(message="all the same " * 5))
    job_log.close()
    assert len(list(tmp_path.iterdir())) == 1 + log.OLD_FILES
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())


def test_a_folder_that_takes_no_log_does_not_stop_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_log = JobLog(tmp_path / "missing" / "studio.log")
    job_log.note("job", Finished())
    assert len(texts(job_log)) == 1
    assert capsys.readouterr().err == ""
