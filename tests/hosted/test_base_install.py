"""The studio without the packages of `requirements-hosted.txt`: it neither needs nor imports them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import DependencyMissing
from pipeline.models.registry import ROOT
from tests.hosted.as_openai import KEY, MODEL
from tests.hosted.conftest import HostedStudio

OPTIONAL = ("openai", "google.genai", "volcenginesdkarkruntime", "jwt", "tenacity")
SCRIPT = f"""
import sys
import api.alone, ui.frame, pipeline.__main__
from pipeline.studio import Studio
studio = Studio()
assert studio.hosted.models and studio.hosted.providers
assert [state.makes(model) for model, state in studio.hosted.offers]
studio.close()
print([name for name in {OPTIONAL} if name in sys.modules])
"""


def test_a_studio_that_lists_hosted_models_imports_no_package_of_theirs(tmp_path: Path) -> None:
    folders = {"DARKROOM_OUTPUTS": str(tmp_path / "outputs"), "DARKROOM_CACHE": str(tmp_path / "cache")}
    environment = os.environ | folders | {"OPENAI_API_KEY": KEY, "PYTHONPATH": str(ROOT), "DARKROOM_MODEL": "demo"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_package_that_is_absent_is_named_with_the_command_that_brings_it(
    hosted_studio: HostedStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setitem(sys.modules, "openai", None)  # as Python finds what is not there
    with pytest.raises(DependencyMissing, match="OpenAI needs openai, which the studio itself does not") as caught:
        hosted_studio.hosted.check_ready(hosted_studio.models.find_any(MODEL))
    assert "requirements-hosted.txt" in caught.value.info.remedy
