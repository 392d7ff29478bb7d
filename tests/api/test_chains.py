"""Kept chains over HTTP, and one that is run."""

from __future__ import annotations

from fastapi.testclient import TestClient

CHAIN = {"prompt": "a red house", "num_inference_steps": 2, "seed": 3, "then": [{"model": "plain", "strength": 0.8}]}


def test_a_chain_is_kept_run_as_one_job_and_forgotten(client: TestClient) -> None:
    kept = client.put("/api/v1/chains/Draft%20and%20finish", json=CHAIN)
    assert kept.status_code == 200, kept.text
    assert [one["name"] for one in client.get("/api/v1/chains").json()] == ["Draft and finish"]
    request = client.get("/api/v1/chains/draft%20and%20finish").json()["request"]
    job = client.post("/api/v1/jobs", json=request | {"seed": 3}).json()
    with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as events:
        told = "".join(events.iter_text())
    assert told.count("event: saved") == 2
    assert client.delete("/api/v1/chains/draft%20and%20finish").status_code == 204
    assert client.get("/api/v1/chains/draft%20and%20finish").json()["code"] == "not_found"


def test_what_is_wrong_in_a_stage_is_told_with_its_number(client: TestClient) -> None:
    for stage, sentence in (
        ({"strength": 2}, "Stage 2: strength cannot be 2."),
        ({"strength": 0}, "Stage 2: At strength 0 the picture stays as it is."),
        ({"model": "nowhere"}, "Stage 2: There is no model named “nowhere”."),
    ):
        problem = client.post("/api/v1/jobs", json=CHAIN | {"then": [stage]}).json()
        assert (problem["field"], problem["detail"]) == ("then", sentence)
