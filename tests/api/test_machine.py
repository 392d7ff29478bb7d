"""The studio itself over HTTP: what it is and does, and its workers."""

from __future__ import annotations

from fastapi.testclient import TestClient

from api.description import VERSION
from pipeline.studio import Studio


def test_the_studio_tells_its_version_its_default_model_and_its_machine(client: TestClient) -> None:
    facts = client.get("/api/v1/studio").json()
    assert facts["version"] == VERSION
    assert facts["default"]["id"] == "tiny"
    assert facts["engine"]["hardware"]["devices"][-1]["kind"] == "cpu"
    assert facts["unfinished"] == 0


def test_the_checks_of_the_installation_come_with_their_findings(client: TestClient, studio: Studio) -> None:
    found = client.get("/api/v1/doctor").json()
    assert [check["name"] for check in found] == [check.name for check in studio.doctor()]
    assert all(check["finding"] for check in found)


def test_a_worker_is_restarted_and_tells_how_often(client: TestClient, studio: Studio) -> None:
    studio.generate("a boat", num_inference_steps=1)
    [before] = client.get("/api/v1/workers").json()
    assert (before["place"], before["model"]) == (0, "tiny")

    assert client.post("/api/v1/workers/0/restart").status_code == 202

    studio.generate("another boat", num_inference_steps=1)
    [after] = client.get("/api/v1/workers").json()
    assert (after["restarts"], after["pid"] == before["pid"]) == (before["restarts"] + 1, False)


def test_a_worker_that_there_is_not_is_not_found(client: TestClient) -> None:
    for place in ("1", "-1", "99999999999999999999"):
        answer = client.post(f"/api/v1/workers/{place}/restart")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_quantised_components_are_listed_and_deleted(client: TestClient) -> None:
    assert client.get("/api/v1/cache").json() == []
    assert client.delete("/api/v1/cache").json() == {"freed_bytes": 0}
    assert client.delete("/api/v1/cache", params={"model": "nobody"}).json()["code"] == "unknown_model"


def test_without_a_token_of_the_hub_there_is_no_account(client: TestClient) -> None:
    answer = client.get("/api/v1/account")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert "HF_TOKEN" in answer.json()["remedy"]
