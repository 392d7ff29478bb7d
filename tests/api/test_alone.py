"""The API without the pages, as it runs: its start and its end, and where `/` leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.alone import app, application
from pipeline.errors import FolderInUse


def test_the_application_has_one_studio_for_its_life_and_leads_to_the_description(
    make_settings: Callable[..., Any],
) -> None:
    settings = make_settings(preload=False)
    with TestClient(application(settings), base_url="http://localhost:5001", follow_redirects=False) as client:
        assert (client.get("/").status_code, client.get("/").headers["Location"]) == (307, "/docs")
        assert client.get("/docs").status_code == 200
        job = client.post("/api/v1/jobs", json={"prompt": "a boat", "num_inference_steps": 1}).json()
        client.get(f"/api/v1/jobs/{job['id']}/events")
        with pytest.raises(FolderInUse), TestClient(application(settings)):
            pass
    with TestClient(application(settings), base_url="http://localhost:5001") as client:
        assert client.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "finished"


def test_it_has_the_doors_and_routes_of_the_one_with_pages() -> None:
    import app as whole

    assert [one.cls for one in app.user_middleware] == [one.cls for one in whole.app.user_middleware]
    assert app.openapi()["paths"].keys() == whole.app.openapi()["paths"].keys()
