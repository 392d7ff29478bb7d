"""The examples of the documents do what they say."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.models.registry import ROOT
from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.conftest import tiny_settings
from tests.loops import in_a_loop

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def address(shared_studio: Studio) -> Iterator[str]:
    with served(app_of(shared_studio)) as address:
        yield address


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Examples write where they are started."""
    monkeypatch.chdir(tmp_path)


def run(name: str, **given: Any) -> None:
    main = import_module(f"docs.examples.{name}").main
    done = main(*(given[wanted] for wanted in inspect.signature(main).parameters))
    if inspect.iscoroutine(done):
        in_a_loop(done)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_to_its_end_and_says_what_it_made(
    name: str, studio: Studio, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, studio=studio, address=address)
    assert capsys.readouterr().out
    for made in Path().glob("*.png"):
        assert Image.open(made).mode == "RGB"


def test_the_same_picture_is_made_again_from_its_file(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    run("replay", studio=studio)
    assert "Made again, pixel by pixel." in capsys.readouterr().out


def test_nothing_changes_outside_the_mask(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    run("from_picture", studio=studio)
    assert "nothing outside (16, 16, 33, 33)" in capsys.readouterr().out


def test_an_example_is_a_program(tmp_path: Path, tiny_checkpoint: Path) -> None:
    settings = tiny_settings(tmp_path, tiny_checkpoint)
    folders = {"DARKROOM_OUTPUTS": str(settings.outputs), "DARKROOM_CACHE": str(settings.cache)}
    command = [sys.executable, "-m", "docs.examples.first_picture"]
    environment = os.environ | folders | {"DARKROOM_MODEL": "tiny"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "_seed42.png: seed 42" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_in_the_guide(name: str) -> None:
    assert f"(examples/{name}.py)" in (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
