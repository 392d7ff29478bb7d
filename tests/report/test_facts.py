"""The report of this machine, with everything private that it might have come across."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.errors import ErrorInfo
from pipeline.events import Failed
from pipeline.jobs.log import JobLog
from pipeline.jobs.state import EngineState
from pipeline.models.hardware import Device, Hardware, cpu
from pipeline.report import facts
from pipeline.report.facts import Report
from pipeline.report.markdown import written
from pipeline.request import GenerationRequest
from pipeline.settings import Settings

PROMPT = "a plan that nobody may know"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, outputs=tmp_path / "outputs", cache=tmp_path / "cache", token="door_xyzzy")


def fail(settings: Settings, message: str) -> None:
    """A job that ends so, in the log that a studio writes."""
    settings.data_folder.mkdir(parents=True)
    log = JobLog(settings.data_folder / "studio.log")
    log.queued("job", GenerationRequest(prompt=PROMPT), "demo", 7)
    log.note("job", Failed(error=ErrorInfo(code="engine_failed", message=message)))
    log.close()


def test_no_secret_no_prompt_and_no_folder_is_in_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_xyzzy")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:xyzzy@proxy")
    fail(settings, f"No room in {settings.outputs} and {Path.home()} for “{PROMPT}”, or {PROMPT}; hf_xyzzy.")
    report = Report.gather(settings, doctor.run(settings))
    for text in (written(report), report.model_dump_json()):
        for private in ("xyzzy", PROMPT, str(settings.outputs), str(settings.cache), str(Path.home())):
            assert private not in text
    [line] = report.trouble
    assert line.endswith("job Failed (engine_failed): No room in [outputs] and ~ for “…”, or …; [HF_TOKEN].")
    assert report.settings["DARKROOM_TOKEN"] == report.settings["HF_TOKEN"] == "set"


def test_it_tells_the_machine_as_the_engine_found_it(settings: Settings) -> None:
    gpu = Device(kind="cuda", name="NVIDIA H200", memory_total=141 * 10**9, memory_free=10**9)
    error = ErrorInfo(code="engine_failed", message="It would not start.")
    machine = Hardware(devices=(gpu, cpu()))
    engine = EngineState(status="failed", model=None, hardware=machine, versions={"torch": "9.9"}, error=error)
    report = Report.gather(settings, [], engine)
    assert report.devices[0] == "cuda:0 (NVIDIA H200), 141.0 GB"
    assert report.versions == {"torch": "9.9"}
    assert report.engine == "failed, no model loaded; engine_failed: It would not start."


def test_without_an_engine_versions_are_those_of_the_packages(settings: Settings) -> None:
    report = Report.gather(settings, [])
    assert {"python", "torch", "diffusers"} <= report.versions.keys()
    assert (report.engine, report.trouble, report.proofs) == ("", (), ())
    assert report.darkroom != "unknown"
    assert report.processor


def test_only_the_last_lines_that_tell_of_trouble_are_kept(settings: Settings) -> None:
    settings.data_folder.mkdir(parents=True)
    lines = [f"2026-11-27 12:00:00,000 {'ERROR  ' if number % 2 else 'INFO   '} line {number}" for number in range(40)]
    (settings.data_folder / "studio.log").write_text("\n".join(lines), encoding="utf-8")
    told = Report.gather(settings, []).trouble
    assert len(told) == facts.LAST_LINES
    assert [line.split()[-1] for line in told] == ["25", "27", "29", "31", "33", "35", "37", "39"]
