"""Who may come in, when the studio asks for a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import webuiapi

from pipeline.studio import Studio
from tests.api.a1111.conftest import HOST
from tests.api.conftest import app_of
from tests.api.serving import served
from tests.conftest import tiny_settings


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[int]:
    """The port of a studio that asks for the token `sésame`. Its engine never starts."""
    studio = Studio(tiny_settings(tmp_path_factory.mktemp("guarded"), tiny_checkpoint, token="sésame"))
    with served(app_of(studio)) as address:
        yield int(address.rpartition(":")[2])
    studio.close()


def test_the_token_is_the_password_whatever_the_name(guarded: int) -> None:
    for name, password in (("user", "sésame"), ("somebody else", "sésame".encode())):
        api = webuiapi.WebUIApi(host=HOST, port=guarded, username=name, password=password)
        assert api.util_get_current_model() == "tiny"


@pytest.mark.parametrize(
    "authorization",
    [None, "Basic", "Basic !!!", "Basic dXNlcg==", "Basic dXNlcjpvdGhlcg==", "Basic /////w==", "Bearer other"],
)
def test_any_other_password_is_refused_in_a1111s_shape(guarded: int, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(f"http://{HOST}:{guarded}/sdapi/v1/options", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "token_needed"


def test_elsewhere_a_password_opens_nothing(guarded: int) -> None:
    answer = httpx.get(f"http://{HOST}:{guarded}/api/v1/models", auth=("user", "sésame".encode()))
    assert answer.status_code == 401
