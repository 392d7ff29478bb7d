"""Whether the studio is alive and ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from pipeline.studio import Studio
from tests.api.conftest import client_of


def test_alive_says_so_to_everybody(guarded: TestClient) -> None:
    assert guarded.get("/healthz", headers={"Host": "10.0.0.7"}).json() == {"status": "ok"}


def test_a_studio_whose_engine_has_started_is_ready(client: TestClient, studio: Studio) -> None:
    studio.generate("a boat", num_inference_steps=1)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["model"] == "tiny"


def test_a_studio_whose_engine_is_starting_is_not_ready_yet(make_settings: Callable[..., Any]) -> None:
    with Studio(make_settings()) as studio:
        answer = client_of(studio).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["code"] == "starting"
