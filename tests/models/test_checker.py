"""Checks in the background, of a checkpoint in a folder and of ones on a local hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from pipeline.errors import EngineFailed
from pipeline.models.checker import Checker, CheckState
from pipeline.models.finding import Finding
from pipeline.models.registry import ModelRecord
from tests.checkpoints import record_for
from tests.hub_server import STRANGER, TINY, TOKEN, HubServer, pipeline_files, use_hub

GATED = {"name": "Terms", "url": "", "gated": True}


class Trial:
    """A self-test that waits until it is told to go on, and the checker that uses it."""

    def __init__(self) -> None:
        self.go_on, self.begun = Event(), Event()
        self.tested: list[str] = []
        self.checker = Checker(self._test)

    def _test(self, record: ModelRecord) -> list[Finding]:
        self.begun.set()
        assert self.go_on.wait(60)
        self.tested.append(record.id)
        if record.id == "broken":
            raise EngineFailed("It could not be tried.", "Look into the log.")
        return [Finding(name="defaults", ok=True, finding="3 steps")]

    def result(self, record: ModelRecord) -> CheckState:
        """What was found once nothing is under way."""
        self.go_on.set()
        self.checker.start(record)
        self.checker._pool.submit(lambda: None).result(60)
        return next(state for state in self.checker.states() if state.model == record.id)


@pytest.fixture
def trial() -> Iterator[Trial]:
    trial = Trial()
    yield trial
    trial.go_on.set()
    trial.checker.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(TINY, pipeline_files(), access="gated")
        use_hub(monkeypatch, server.url, tmp_path / "hub")
        yield server


def findings(state: CheckState) -> dict[str, bool | None]:
    return {one.name: one.ok for one in state.findings}


def test_the_files_of_a_checkpoint_on_this_disk_are_read(trial: Trial, tiny_checkpoint: Path) -> None:
    state = trial.result(record_for(tiny_checkpoint, id="tiny"))
    assert state.is_over
    assert findings(state) == {"files": True, "defaults": True}


def test_a_damaged_file_is_named(trial: Trial, tiny_checkpoint: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    (copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    state = trial.result(record_for(copy, id="copy"))
    assert findings(state)["files"] is False
    assert "vae/diffusion_pytorch_model.safetensors is damaged" in state.findings[0].finding


@pytest.mark.parametrize(("token", "may"), [(STRANGER, False), (TOKEN, True)])
def test_of_a_gated_checkpoint_that_is_not_here_the_hub_is_asked_for_access(
    trial: Trial, server: HubServer, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path, token: str, may: bool
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    state = trial.result(record_for(tiny_checkpoint, id="gated", source=TINY, licence=GATED))
    assert findings(state) == {"access": may, "defaults": True}
    assert server.total_sent() == 0


def test_a_check_under_way_is_not_begun_twice_and_can_be_seen(trial: Trial, tiny_checkpoint: Path) -> None:
    record = record_for(tiny_checkpoint, id="tiny")
    trial.checker.start(record)
    assert trial.begun.wait(60)
    seen = trial.checker.start(record)
    assert (seen.is_over, seen.doing) == (False, "self-test")
    assert findings(seen) == {"files": True}
    trial.result(record)
    assert trial.tested == ["tiny"]


def test_a_self_test_that_fails_is_told_and_the_next_check_works(trial: Trial, tiny_checkpoint: Path) -> None:
    state = trial.result(record_for(tiny_checkpoint, id="broken"))
    assert state.error is not None
    assert state.error.message == "It could not be tried."
    assert trial.result(record_for(tiny_checkpoint, id="tiny")).error is None
