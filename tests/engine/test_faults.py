"""What the libraries raise becomes a sentence with a next step."""

from __future__ import annotations

import errno

import httpx2
import pytest
import torch
from huggingface_hub import errors as hub_errors

from pipeline.engine.faults import explain, explained
from pipeline.errors import DarkroomError, DependencyMissing, EngineFailed, ModelUnavailable, OutOfMemory
from pipeline.models.files.hub import cache_folder
from pipeline.models.registry import ModelRecord, Registry
from tests.checkpoints import SD35


@pytest.fixture(scope="module")
def medium() -> ModelRecord:
    return Registry.read().find(SD35)


def answer(status: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(
        status, headers=headers, request=httpx2.Request("GET", "https://huggingface.co/api/models/x")
    )


def hub_error(status: int, **headers: str) -> hub_errors.HfHubHTTPError:
    return hub_errors.HfHubHTTPError(f"{status} for url x", response=answer(status, **headers))


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
    (ModuleNotFoundError("No module named 'sentencepiece'"), DependencyMissing, "sentencepiece"),
    (ValueError("odd"), EngineFailed, "failed while loading: odd"),
    (PermissionError(errno.EACCES, "Permission denied", "/elsewhere/file"), EngineFailed, "Permission denied"),
]
HUB_CASES = [
    (
        hub_errors.RepositoryNotFoundError("404", response=answer(404)),
        "the hub knows no such model",
        "Check the source",
    ),
    (hub_errors.RevisionNotFoundError("404", response=answer(404)), "has no branch main", "another repository"),
    (hub_errors.HFValidationError("bad name"), "the hub knows no such model", "Check the source"),
    (hub_errors.OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE forbids downloads", "Unset HF_HUB_OFFLINE"),
    (hub_errors.LocalEntryNotFoundError("not cached"), "cannot be reached", "network"),
    (hub_errors.RemoteEntryNotFoundError("404", response=answer(404)), "not a diffusers checkpoint", "model_index"),
    (hub_error(401), "does not accept the Hugging Face token", "valid token"),
    (hub_error(403), "does not let this account read", "right to read"),
    (hub_error(429), "too many requests", "in a few minutes"),
    (hub_error(429, **{"Retry-After": "90"}), "too many requests", "in 90 s"),
    (hub_error(503), "has a fault (HTTP 503)", "Try again later"),
    (hub_error(418), "The hub refused to send", "HF_TOKEN"),
    (httpx2.ConnectError("refused"), "cannot be reached", "network"),
    (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "is not trusted here", "SSL_CERT_FILE"),
    (httpx2.ProxyError("407"), "the proxy does not pass on", "HTTPS_PROXY"),
    (httpx2.ReadTimeout("slow"), "sent nothing for 10 s", "HF_HUB_DOWNLOAD_TIMEOUT"),
    (httpx2.RemoteProtocolError("peer closed"), "broke off the connection", "goes on where it stopped"),
    (OSError(errno.ENOSPC, "No space left on device"), "is full", "Free some space"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "is full", "Free some space"),
]


@pytest.mark.parametrize(("error", "kind", "words"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_every_failure_has_its_class_a_reason_and_a_next_step(
    medium: ModelRecord, error: Exception, kind: type[DarkroomError], words: str
) -> None:
    found = explain(error, medium, "loading")
    assert type(found) is kind
    assert words in found.info.message
    assert found.info.remedy


@pytest.mark.parametrize(("error", "words", "step"), HUB_CASES, ids=lambda value: getattr(value, "__name__", None))
def test_every_failure_of_a_download_has_a_reason_and_a_next_step(
    medium: ModelRecord, error: Exception, words: str, step: str
) -> None:
    found = explain(error, medium, "loading")
    assert type(found) is ModelUnavailable
    assert words in found.info.message
    assert step in found.info.remedy
    assert medium.name in found.info.message or medium.source in found.info.message


def test_a_cache_that_cannot_be_written_is_named(medium: ModelRecord) -> None:
    error = OSError(errno.EROFS, "Read-only file system", str(cache_folder() / "models--x"))
    found = explain(error, medium, "loading")
    assert f"the cache {cache_folder()} is read-only" in found.info.message
    assert "HF_HOME" in found.info.remedy


@pytest.mark.parametrize(("token", "words"), [(True, "has not been let in"), (False, "no Hugging Face token is set")])
def test_a_gate_tells_what_is_missing(
    medium: ModelRecord, monkeypatch: pytest.MonkeyPatch, token: bool, words: str
) -> None:
    monkeypatch.setattr("pipeline.models.files.hub.has_token", lambda: token)
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
