"""The engine as a whole: what it finds, and what it says when a library is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.engine import Engine
from pipeline.errors import EngineFailed, OutOfMemory
from pipeline.events import Warned
from tests.engine.conftest import Run


def test_the_report_names_devices_and_versions(engine: Engine) -> None:
    report = engine.report()
    assert report.hardware.devices[-1].kind == "cpu"
    assert report.versions["torch"] == torch.__version__


def test_a_device_can_be_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    assert Engine(cache).report().hardware.best.kind == "cpu"


def test_a_device_that_is_not_here_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_DEVICE", "xpu:7")
    with pytest.raises(EngineFailed, match="asks for xpu:7"):
        Engine(cache)


def test_an_offload_that_is_ignored_is_warned_about(run: Callable[..., Run]) -> None:
    made = run(offload="model")
    assert "Offload model is ignored" in made.of(Warned)[0].message
    assert made.pictures[0].recipe.offload == "none"


def test_a_failure_while_generating_is_explained_and_frees_memory(
    run: Callable[..., Run], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine._loaded.pipeline.vae, "decode", full)
    with pytest.raises(OutOfMemory, match="smaller size"):
        run()
    assert engine.loaded is None
    assert run().pictures


@pytest.mark.parametrize("package", ["torch", "diffusers", "transformers"])
def test_a_missing_library_is_a_sentence(package: str) -> None:
    script = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from pipeline.errors import DependencyMissing\n"
        "try:\n    import pipeline.engine\n"
        "except DependencyMissing as error:\n    print(error.info.message, error.info.remedy)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert package in answer.stdout
    assert "make setup" in answer.stdout


def test_a_missing_bitsandbytes_only_matters_to_quantised_models(
    run: Callable[..., Run], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import DependencyMissing

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(DependencyMissing, match="choose quantization none"):
        run(quantization="nf4")
    assert run().pictures
