"""What the libraries raise becomes a sentence with a next step."""

from __future__ import annotations

import errno

import httpx2
import pytest
import torch
from huggingface_hub import errors as hub_errors

from pipeline.engine.faults import explain, explained
from pipeline.errors import DarkroomError, DependencyMissing, EngineFailed, ModelUnavailable, OutOfMemory
from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import SD35


@pytest.fixture(scope="module")
def medium() -> ModelRecord:
    return Registry.read().find(SD35)


def answer(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co/api/models/x"))


CASES = [
    (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory, "The GPU's memory ran out"),
    (MemoryError(), OutOfMemory, "Main memory ran out"),
    (
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        OutOfMemory,
        "Main memory ran out",
    ),
    (
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
        OutOfMemory,
        "Main memory ran out",
    ),
    (hub_errors.RepositoryNotFoundError("404", response=answer(404)), ModelUnavailable, "the hub knows no such model"),
    (hub_errors.OfflineModeIsEnabled("offline"), ModelUnavailable, "HF_HUB_OFFLINE forbids downloads"),
    (httpx2.ConnectError("refused"), ModelUnavailable, "the hub cannot be reached"),
    (hub_errors.LocalEntryNotFoundError("not cached"), ModelUnavailable, "the hub cannot be reached"),
    (
        hub_errors.RemoteEntryNotFoundError("404", response=answer(404)),
        ModelUnavailable,
        "not a diffusers checkpoint",
    ),
    (hub_errors.HfHubHTTPError("503", response=answer(503)), ModelUnavailable, "The hub refused to send"),
    (hub_errors.HFValidationError("bad name"), ModelUnavailable, "the hub knows no such model"),
    (OSError(errno.ENOSPC, "No space left on device"), ModelUnavailable, "is full"),
    (ModuleNotFoundError("No module named 'sentencepiece'"), DependencyMissing, "sentencepiece"),
    (ValueError("odd"), EngineFailed, "failed while loading: odd"),
]


@pytest.mark.parametrize(("error", "kind", "words"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_every_failure_has_its_class_a_reason_and_a_next_step(
    medium: ModelRecord, error: Exception, kind: type[DarkroomError], words: str
) -> None:
    found = explain(error, medium, "loading")
    assert type(found) is kind
    assert words in found.info.message
    assert found.info.remedy


@pytest.mark.parametrize(("token", "words"), [(True, "has not been let in"), (False, "no Hugging Face token is set")])
def test_a_gate_tells_what_is_missing(
    medium: ModelRecord, monkeypatch: pytest.MonkeyPatch, token: bool, words: str
) -> None:
    monkeypatch.setattr("pipeline.models.hub.has_token", lambda: token)
    found = explain(hub_errors.GatedRepoError("403", response=answer(403)), medium, "loading")
    assert words in found.info.message
    assert f"https://huggingface.co/{SD35}" in found.info.remedy


def test_a_cause_further_down_is_found(medium: ModelRecord) -> None:
    outer = OSError("Cannot load model")
    outer.__cause__ = httpx2.ConnectTimeout("slow")
    assert "cannot be reached" in explain(outer, medium, "loading").info.message


def test_an_unexpected_failure_keeps_its_traceback_for_a_report(medium: ModelRecord) -> None:
    with pytest.raises(EngineFailed) as caught, explained(medium, "generating"):
        raise KeyError("latents")
    assert "test_an_unexpected_failure" in caught.value.info.details


def test_darkroom_s_own_errors_pass_unchanged(medium: ModelRecord) -> None:
    own = ModelUnavailable("gone")
    with pytest.raises(ModelUnavailable) as caught, explained(medium, "loading"):
        raise own
    assert caught.value is own


def test_a_failure_lets_go_of_what_its_frames_held(medium: ModelRecord) -> None:
    import weakref

    class Tensor: ...

    held: list[weakref.ref[Tensor]] = []

    def fail() -> None:
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise MemoryError

    with pytest.raises(OutOfMemory) as caught, explained(medium, "generating"):
        fail()
    assert caught.value
    assert held[0]() is None
