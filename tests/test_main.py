"""The command line as its users call it: in a process of its own where that matters, else through `main`."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import OPTIONS, main
from pipeline.gallery import read_recipe
from pipeline.request import GenerationRequest
from tests.conftest import tiny_settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory, tiny_checkpoint) -> dict[str, str]:
    """The variables of a fresh outputs folder whose default model is the tiny checkpoint."""
    settings = tiny_settings(tmp_path_factory.mktemp("shell"), tiny_checkpoint)
    folders = {"DARKROOM_OUTPUTS": str(settings.outputs), "DARKROOM_CACHE": str(settings.cache)}
    return folders | {"DARKROOM_MODEL": "tiny"}


@pytest.fixture
def shell(environment, monkeypatch, capsys):
    """Calls the command line in this process; gives exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


def start(environment: dict[str, str], *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    variables = os.environ | environment | {"COLUMNS": "120"}
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=stderr, text=True)


def read_terminal(terminal: int) -> str:
    """All that is written to a pseudo-terminal until its other end is closed."""
    seen = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):
        while data := file.read(4096):
            seen += data
    return seen.decode()


# -- generate


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


def test_ctrl_c_cancels_the_job_and_keeps_what_is_finished(environment):
    process = start(environment, "generate", "x", "--steps", "300", "--count", "16", "--json")
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len(out.splitlines()) < 15
    assert Path(first["path"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["generate"], "prompt"),
        (["generate", "   "], "The prompt is empty."),
        (["generate", "x", "--steps", "0"], "--steps: "),
        (["generate", "x", "--steps", "many"], "--steps"),
        (["generate", "x", "--count", "99"], "--count: "),
        (["generate", "x", "--model", "nope"], "--model: There is no model named “nope”."),
        (["generate", "x", "--width", "100"], "--width: Tiny cannot make a picture with width 100."),
        (["generate", "x", "--offload", "moon"], "moon"),
        (["models", "show", "nope"], "There is no model named “nope”."),
        (["conjure"], "conjure"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_what_is_wrong(shell, arguments, complaint):
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    assert complaint in err


def test_a_failure_exits_with_1_and_one_clear_line(shell, tmp_path, environment, monkeypatch):
    blocked = tmp_path / "outputs"
    blocked.write_text("in the way")
    monkeypatch.setitem(environment, "DARKROOM_OUTPUTS", str(blocked))
    monkeypatch.setitem(environment, "DARKROOM_MODEL", "demo")
    code, out, err = shell("generate", "x")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith(f"Error: The outputs folder {blocked} takes no files")


def test_every_option_sets_a_field_of_the_request_and_has_its_description(shell):
    assert set(OPTIONS) <= set(GenerationRequest.model_fields)
    _, out, _ = shell("generate", "--help")
    words = " ".join(out.replace("│", " ").split())
    for field, option in OPTIONS.items():
        assert option in words
        assert GenerationRequest.model_fields[field].description.split()[0] in words


# -- doctor and models


def test_the_doctor_reports_as_a_table_and_as_json(shell):
    _, table, _ = shell("doctor")
    _, text, _ = shell("doctor", "--json")
    checks = json.loads(text)
    assert {"name", "ok", "finding", "remedy"} == set(checks[0])
    assert all(check["name"] in table for check in checks)


def test_the_doctor_exits_with_1_when_something_will_not_work(shell, monkeypatch, environment):
    monkeypatch.setitem(environment, "DARKROOM_MODEL", "nope")
    code, out, _ = shell("doctor")
    assert code == 1
    assert "There is no model named “nope”." in out


def test_settings_that_cannot_be_read_are_one_clear_line(shell, monkeypatch, environment):
    monkeypatch.setitem(environment, "DARKROOM_WORKERS", "some")
    code, _, err = shell("doctor")
    assert code == 1
    assert "DARKROOM_WORKERS" in err
    assert "Traceback" not in err


def test_models_are_listed_with_the_default_marked(shell):
    _, out, _ = shell("models", "list")
    assert any(line.split()[:2] == ["default", "tiny"] for line in out.splitlines())
    _, text, _ = shell("models", "list", "--json")
    assert {record["id"]: record["default"] for record in json.loads(text)}["tiny"]


def test_a_model_is_shown_by_a_short_form_of_its_name(shell):
    _, out, _ = shell("models", "show", "3.5-medium")
    assert "Stable Diffusion 3.5 Medium" in out
    _, text, _ = shell("models", "show", "3.5-medium", "--json")
    assert json.loads(text)["steps"]["default"] == 40


# -- starting


@pytest.mark.parametrize("arguments", [[], ["generate"], ["doctor"], ["models"]])
def test_help_loads_neither_torch_nor_the_studio(arguments, tmp_path):
    script = (
        "import sys; from pipeline.__main__ import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        "print([name for name in ('torch', 'diffusers', 'pipeline.studio', 'PIL') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, *arguments, "--help"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DARKROOM_OUTPUTS": str(tmp_path / "outputs")}
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_clear_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    script = (
        f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_module('pipeline', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "No module named 'typer'. Run `make setup` with Python 3.11 or newer, or `pip install -r requirements.txt`."
    ]
