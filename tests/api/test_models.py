"""Models over HTTP."""

from __future__ import annotations

from fastapi.testclient import TestClient

from pipeline.studio import Studio


def test_every_model_is_listed_with_the_default_and_its_reason(client: TestClient, studio: Studio) -> None:
    listed = client.get("/api/v1/models").json()
    assert [model["id"] for model in listed["models"]] == [record.id for record in studio.models.records]
    assert listed["default"]["id"] == "tiny"
    assert listed["default"]["reason"]


def test_a_model_is_found_by_a_short_form_and_by_an_id_with_a_slash(client: TestClient) -> None:
    for name in ("3.5-medium", "stabilityai/stable-diffusion-3.5-medium"):
        assert client.get(f"/api/v1/models/{name}").json()["name"] == "Stable Diffusion 3.5 Medium"


def test_an_unknown_model_names_the_known_ones(client: TestClient) -> None:
    answer = client.get("/api/v1/models/nobody")
    assert answer.status_code == 404
    assert "tiny" in answer.json()["remedy"]
