"""Whose token it is and what it may read, asked of a local hub."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models.files.account import account, check_access
from pipeline.models.registry import ModelRecord, Registry
from tests.hub_server import STRANGER, TINY, TOKEN, HubServer, pipeline_files

pytestmark = pytest.mark.usefixtures("cache")


def record() -> ModelRecord:
    return Registry.read().find("3.5-medium").model_copy(update={"source": TINY})


def refusal(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        call(*arguments)
    assert caught.value.info.remedy
    assert TOKEN not in caught.value.info.sentence
    return caught.value.info.sentence


def test_the_account_of_the_token_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert account() == "member"


def test_without_a_token_nobody_is_asked(server: HubServer) -> None:
    assert "No Hugging Face token is set" in refusal(account)
    assert server.asked == []


def test_a_token_that_the_hub_does_not_know_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    told = refusal(account)
    assert "does not accept the token" in told
    assert "hf_expired" not in told


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    assert "HF_ENDPOINT" in refusal(account)


def test_offline_the_hub_is_not_asked(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refusal(account)
    assert server.asked == []


def test_access_to_a_gated_checkpoint_depends_on_the_account(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(TINY, pipeline_files(), access="gated")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert "has not been let in" in refusal(check_access, record())
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    check_access(record())
