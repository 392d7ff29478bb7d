"""The commands of the guide to the HTTP interface, run by curl as they stand there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from pipeline.gallery.metadata import read_recipe
from pipeline.studio import Studio
from tests.api.conftest import app_of
from tests.api.serving import served

GUIDE = Path(__file__).parents[2] / "docs/api.md"
COMMANDS = re.findall(r"^curl (?:.*\\\n)*.*$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
Run = Callable[..., str]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run, with a picture to bring along."""
    folder = tmp_path_factory.mktemp("curl")
    Image.linear_gradient("L").save(folder / "house.jpg")
    return folder


@pytest.fixture(scope="module")
def run(studio: Studio, folder: Path) -> Iterator[Run]:
    """Runs the command of the guide that has `part` in it, with names put in, and gives what it prints."""
    with served(app_of(studio)) as address:

        def go(part: str, **names: str) -> str:
            command = next(one for one in COMMANDS if part in one).replace("localhost:5001", address)
            for name, value in names.items():
                command = re.sub(rf"\b{name}\b", value, command)
            strict = command.replace("curl ", "curl --silent --show-error --fail ", 1)
            done = subprocess.run(["bash", "-c", strict], cwd=folder, capture_output=True, text=True, check=True)
            return done.stdout

        yield go


def test_a_picture_in_three_calls(run: Run, folder: Path) -> None:
    head, _, body = run("-i localhost:5001/api/v1/jobs").replace("\r\n", "\n").partition("\n\n")
    job = json.loads(body)["id"]
    assert " 202 " in head.splitlines()[0]
    assert f"/api/v1/jobs/{job}" in head
    events = run("/events", ID=job)
    assert re.findall(r"^event: (\w+)", events, re.MULTILINE)[-1] == "finished"
    [saved] = [json.loads(line[6:]) for line in events.splitlines() if '"type":"saved"' in line]
    run("-o picture.png", IMAGE=saved["image"]["id"])
    recipe = read_recipe(folder / "picture.png")
    assert recipe is not None
    assert (recipe.prompt, recipe.seed) == ("a red house by a lake at dusk", 42)


def test_a_picture_from_a_picture(run: Run) -> None:
    picture = json.loads(run("--data-binary @house.jpg"))["id"]
    assert json.loads(run('"image": "ID"', ID=picture))["request"]["image"] == picture
