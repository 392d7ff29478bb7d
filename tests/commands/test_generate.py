"""`generate`, from a prompt to pictures."""

import json
import os
import pty
import signal
from pathlib import Path

from PIL import Image

from pipeline.commands.options import OPTIONS
from pipeline.gallery import read_recipe
from pipeline.pictures.edges import canny
from pipeline.pictures.store import input_id
from pipeline.request import GenerationRequest
from tests.checkpoints.controlnets import controlnet
from tests.commands.conftest import LARGEST, REMOTE, read_terminal, read_until, start
from tests.hub_server import Fault


def test_a_prompt_becomes_one_json_object_per_picture_and_nothing_else(shell):
    code, out, err = shell("generate", "a red house", "--steps", "1", "--seed", "7", "--count", "2", "--json")
    pictures = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [picture["seed"] for picture in pictures] == [7, 8]
    for picture in pictures:
        assert set(picture) == {"path", "seed", "sha256", "recipe"}
        recipe = read_recipe(Path(picture["path"]))
        assert recipe.sha256 == picture["sha256"]
        assert recipe.model_dump(mode="json") == picture["recipe"]


def test_a_terminal_sees_progress_while_a_pipe_gets_only_the_paths(environment):
    terminal, handle = pty.openpty()
    process = start(environment, "generate", "--steps", "1", "--", "--a prompt with dashes", stderr=handle)
    os.close(handle)
    seen = read_terminal(terminal)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert [Path(line).suffix for line in out.splitlines()] == [".png"]
    assert "DARKROOM_MODEL" in seen
    assert "Step 1 of 1" in seen


def test_a_model_that_is_not_here_is_fetched_and_the_terminal_tells_how_far_it_is(environment, hub):
    held = hub.fault(REMOTE, LARGEST, Fault(hold_after=1_000_000, times=1))
    terminal, handle = pty.openpty()
    process = start(environment, "generate", "x", "--steps", "1", "--model", REMOTE, stderr=handle)
    os.close(handle)
    assert "Fetching" in read_until(terminal, r"Fetching .+ of \d\.\d MB")
    held.release.set()
    seen = read_terminal(terminal)
    out, _ = process.communicate()
    assert process.returncode == 0, seen
    assert Path(out.strip()).is_file()


def test_ctrl_c_cancels_the_job_and_keeps_what_is_finished(environment):
    process = start(environment, "generate", "x", "--steps", "300", "--count", "16", "--json")
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len(out.splitlines()) < 15
    assert Path(first["path"]).is_file()


def test_a_picture_follows_the_edges_of_another(shell, environment, tiny_checkpoint, tmp_path):
    controlnet("sd3", tiny_checkpoint, Path(environment["DARKROOM_WEIGHTS"]) / "controlnet" / "lines")
    square = Image.new("RGB", (128, 128))
    square.paste("white", (32, 32, 96, 96))
    square.save(tmp_path / "a: square.png")
    settings = f"lines={tmp_path / 'a: square.png'}:0.8:0:0.5"
    code, out, err = shell("generate", "x", "--steps", "1", "--canny", "--control", settings, "--json")
    assert (code, err) == (0, "")
    [use] = json.loads(out)["recipe"]["controls"]
    assert (use["net"], use["scale"], use["end"]) == ("lines", 0.8, 0.5)
    assert use["image"] == input_id(canny(square.resize((64, 64), Image.Resampling.LANCZOS)))
    code, _, err = shell("generate", "x", "--control", "lines")
    assert (code, "Write NET=FILE" in err) == (2, True)


def test_every_option_sets_a_field_of_the_request_and_has_its_description(shell):
    assert set(OPTIONS) <= set(GenerationRequest.model_fields)
    _, out, _ = shell("generate", "--help")
    words = " ".join(out.replace("│", " ").split())
    for field, option in OPTIONS.items():
        assert option in words
        assert GenerationRequest.model_fields[field].description.split()[0] in words
