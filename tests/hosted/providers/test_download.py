"""Fetching what a provider gives by address."""

from __future__ import annotations

import pytest

from pipeline.errors import ProviderFailed
from pipeline.hosted.providers import download
from pipeline.hosted.providers.download import fetched
from pipeline.models.registry import Registry
from tests.hosted.conftest import call_of
from tests.hosted.provider_server import Answer, ProviderServer, picture

PNG = {"Content-Type": "image/png"}
CALL = call_of(Registry.read().hosted[0], "http://127.0.0.1:9/v1")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.0)


def test_a_picture_comes_as_it_was_sent_and_no_key_goes_there(provider: ProviderServer) -> None:
    provider.answers(Answer(picture(), headers=PNG))
    assert fetched(CALL, f"{provider.url}/made/1.png?signature=abc") == picture()
    assert provider.asked[0].path == "/made/1.png?signature=abc"
    assert "Authorization" not in provider.asked[0].headers
    assert "secret" not in str(provider.asked[0].headers)


@pytest.mark.parametrize(
    "failure",
    [
        Answer(picture(), headers=PNG, dropped=True),
        Answer(b"busy", status=503, headers={}),
        Answer(b"not there yet", status=404, headers={}),
    ],
    ids=["a broken connection", "a busy server", "a file that is not there yet"],
)
def test_what_may_pass_is_tried_again(provider: ProviderServer, failure: Answer) -> None:
    provider.answers(failure, failure, Answer(picture(), headers=PNG))
    assert fetched(CALL, f"{provider.url}/1.png") == picture()
    assert len(provider.asked) == 3


def test_a_picture_that_cannot_be_fetched_is_told_with_its_whole_address(provider: ProviderServer) -> None:
    provider.answers(Answer(b"", status=502, headers={}))
    address = f"{provider.url}/1.png?signature={'f' * 600}"
    with pytest.raises(ProviderFailed, match="HTTP 502") as failed:
        fetched(CALL, address)
    assert len(provider.asked) == download.ATTEMPTS
    assert address in failed.value.info.remedy


def test_a_server_that_is_not_there_is_told_with_the_address() -> None:
    with pytest.raises(ProviderFailed, match="ConnectError") as failed:
        fetched(CALL, "http://127.0.0.1:9/1.png")
    assert "http://127.0.0.1:9/1.png" in failed.value.info.remedy


def test_a_picture_that_has_moved_is_followed(provider: ProviderServer) -> None:
    provider.answers(Answer(b"", status=302, headers={"Location": "/there.png"}), Answer(picture(), headers=PNG))
    assert fetched(CALL, f"{provider.url}/here.png") == picture()
    assert [asked.path for asked in provider.asked] == ["/here.png", "/there.png"]


@pytest.mark.parametrize(
    "address", ["file:///etc/hostname", "ftp://127.0.0.1/1.png", "1.png", "http://127.0.0.1:port/"]
)
def test_only_the_web_is_asked(address: str) -> None:
    with pytest.raises(ProviderFailed, match="leads nowhere") as failed:
        fetched(CALL, address)
    assert address in failed.value.info.remedy


def test_a_picture_that_has_moved_out_of_the_web_is_not_followed(provider: ProviderServer) -> None:
    provider.answers(Answer(b"", status=302, headers={"Location": "file:///etc/hostname"}))
    with pytest.raises(ProviderFailed, match="leads nowhere"):
        fetched(CALL, f"{provider.url}/1.png")
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"\n <!DOCTYPE html><p>Sign in</p>", "a page instead of a picture"), (b"", "an empty file")],
    ids=["a page", "nothing"],
)
def test_what_is_no_picture_is_refused_at_once(provider: ProviderServer, body: bytes, said: str) -> None:
    provider.answers(Answer(body, headers=PNG))
    with pytest.raises(ProviderFailed, match=said):
        fetched(CALL, f"{provider.url}/1.png")
    assert len(provider.asked) == 1


def test_a_file_that_is_too_large_is_not_received_to_its_end(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", 2**20)
    provider.answers(Answer(bytes(2**21), headers=PNG))
    with pytest.raises(ProviderFailed, match="more than 1 MiB"):
        fetched(CALL, f"{provider.url}/1.png")
    assert len(provider.asked) == 1
