"""The command line as a whole: how it starts, what it refuses, how it fails."""

import os
import subprocess
import sys

import pytest

from tests.commands.conftest import ROOT


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
        (["generate", "x", "--lora", "film:strong"], "--lora: “film:strong” names no LoRA with a weight."),
        (["generate", "x", "--lora", "film:9"], "--lora: “film:9” names no LoRA with a weight."),
        (["generate", "x", "--component", "transformer"], "--component: “transformer” names no component"),
        (["generate", "x", "--component", "transformer=nf5"], "nf4-full"),
        (["models", "show", "nope"], "There is no model named “nope”."),
        (["models", "fetch", "nope"], "There is no model named “nope”."),
        (["models", "plan", "tiny", "--width", "0"], "--width: "),
        (["models", "check"], "Name one, or give --all."),
        (["models", "check", "tiny", "--all"], "Name one, or give --all."),
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


def test_settings_that_cannot_be_read_are_one_clear_line(shell, monkeypatch, environment):
    monkeypatch.setitem(environment, "DARKROOM_WORKERS", "some")
    code, _, err = shell("doctor")
    assert code == 1
    assert "DARKROOM_WORKERS" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [[], ["generate"], ["doctor"], ["models"], ["models", "cache"]])
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
