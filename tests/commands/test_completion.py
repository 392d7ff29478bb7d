"""The Tab key in bash, with what `completion` prints."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.chains import Chains
from pipeline.request import parse_request
from tests.commands.conftest import start

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")


@pytest.fixture(scope="module")
def bash(environment, tmp_path_factory):
    """Runs bash, somewhere else, after what the documents say: `eval "$(… completion)"`."""
    script, _ = start(environment, "completion").communicate()
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{command}"],
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return run


@pytest.fixture(scope="module")
def offered(bash):
    """What bash offers when Tab is pressed at the end of these words."""

    def press_tab(*words: str) -> list[str]:
        typed = " ".join(shlex.quote(word) for word in ("darkroom", *words))
        pressed = f"COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _darkroom_complete"
        return bash(f'{pressed}\nfor offer in "${{COMPREPLY[@]}}"; do echo "$offer"; done').splitlines()

    return press_tab


def test_commands_and_options_are_offered(offered):
    assert offered("ga") == ["gallery"]
    assert set(offered("gallery", "")) >= {"list", "show", "export"}
    assert offered("generate", "--guid") == ["--guidance"]
    assert offered("generate", "--offload", "mo") == ["model"]


def test_names_of_what_is_here_are_offered(offered, environment):
    weights = Path(environment["DARKROOM_WEIGHTS"])
    (weights / "loras").mkdir(parents=True)
    (weights / "loras" / "watercolour.safetensors").write_bytes(b"")
    chains = Chains(Path(environment["DARKROOM_OUTPUTS"]) / ".darkroom" / "chains")
    chains.keep("quick then fine", parse_request(prompt="x", then=[{"model": "tiny"}]))

    assert offered("generate", "--model", "ti") == ["tiny"]
    assert offered("models", "show", "stabilityai/stable-diffusion-3.5-m") == [
        "stabilityai/stable-diffusion-3.5-medium"
    ]
    assert offered("models", "show", "stable-diffusion-3.5-m") == ["stable-diffusion-3.5-medium"]
    assert offered("generate", "--upscaler", "d") == ["darkroom-x4"]
    assert offered("generate", "--control", "demo") == ["demo-canny"]
    assert offered("generate", "--lora", "w") == ["watercolour"]
    assert "FlowMatchHeunDiscreteScheduler" in offered("generate", "--scheduler", "Flow")
    assert "openai/gpt-image-2" in offered("generate", "--model", "openai/gpt-image-2")
    assert offered("generate", "--option", "moderation=l") == ["moderation=low"]
    assert offered("generate", "--chain", "q") == ["quick\\ then\\ fine"]
    assert offered("chains", "show", "qu") == ["quick\\ then\\ fine"]


def test_where_nothing_can_be_read_nothing_is_offered(offered, environment, monkeypatch):
    monkeypatch.setitem(environment, "DARKROOM_WORKERS", "some")
    assert offered("generate", "--model", "ti") == []


def test_the_short_command_is_this_one(bash):
    assert bash("darkroom --version").startswith("Darkroom ")
