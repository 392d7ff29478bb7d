"""A server that stands for OpenAI, for the tests of other rooms."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.hosted import keys
from pipeline.models.registry import Registry
from tests.hosted.provider_server import Answer, ProviderServer, provider_server

MODEL = "openai/gpt-image-2"
KEY = "secret-key"


def images(*files: bytes) -> Answer:
    """What OpenAI answers."""
    return Answer({"created": 1, "data": [{"b64_json": base64.b64encode(file).decode()} for file in files]})


def refusal(status: int, code: str, message: str = "No.") -> Answer:
    """How OpenAI refuses."""
    return Answer({"error": {"message": message, "type": "error", "param": None, "code": code}}, status)


def without_keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing of the machine that runs the tests: neither keys nor addresses; `.env` would be in `folder`."""
    monkeypatch.setattr(keys, "ENV_FILE", folder / ".env")
    for one in Registry.read().providers:
        for name in (one.base_url_variable, *(name for names in one.keys for name in names)):
            monkeypatch.delenv(name, raising=False)


@contextmanager
def openai_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """OpenAI, with a key."""
    with provider_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server
