"""The command line as a whole: how it starts, what it refuses, how it fails."""

import os
import shlex
import subprocess
import sys
import tomllib

import pytest
from typer.main import get_command

from pipeline.__main__ import app
from pipeline.commands.examples import EXAMPLES, PROGRAM
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
        (["generate", "x", "--prompts", "prompts.txt"], "One prompt is needed, or a file of prompts."),
        (
            ["generate", "--prompts", "nowhere.txt"],
            "The prompts in nowhere.txt cannot be read: No such file or directory.",
        ),
        (["generate", "--prompts", __file__, "--model", "nope"], "--model: There is no model named “nope”."),
        (["compare", "x", "--columns", "size=1,2"], "“size=1,2” is no setting with values."),
        (["compare", "x", "--columns", "steps=1,many"], "Steps cannot be 'many'."),
        (["gallery", "list", "--since", "yesterday"], "yesterday"),
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


@pytest.mark.parametrize("arguments", [[], ["generate"], ["serve"], ["jobs", "list"], ["gallery", "list"]])
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


def test_the_version_is_that_of_the_project(shell):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert shell("--version") == (0, f"Darkroom {version}\n", "")


def commands(app, above=()):
    """Each command with the words that call it."""
    for name, command in app.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name), command


def test_the_help_of_every_command_has_examples_that_it_takes():
    found = dict(commands(get_command(app)))
    assert {tuple(name.split()) for name in EXAMPLES} == set(found)
    for name, command in found.items():
        for example in EXAMPLES[" ".join(name)]:
            assert f"{PROGRAM} {example}" in command.epilog
            words = shlex.split(example.partition(" >> ")[0])
            assert words[: len(name)] == list(name)
            options = {option for param in command.params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= options


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
