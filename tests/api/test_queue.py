"""The queue over HTTP."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.api.conftest import StillStudio, client_of


def wish(client: TestClient, who: str, prompt: str) -> str:
    client.cookies.set("darkroom_client", who)
    job_id: str = client.post("/api/v1/jobs", json={"prompt": prompt}).json()["id"]
    return job_id


def test_the_queue_lists_what_waits_in_its_order_and_one_s_own_alone_when_asked(still: StillStudio) -> None:
    client = client_of(still)
    first, second = (wish(client, "ann", prompt) for prompt in ("a boat", "a house"))
    other = wish(client, "ben", "a tree")

    everybody = client.get("/api/v1/queue").json()
    mine = client.get("/api/v1/queue", params={"mine": True}).json()

    assert [job["id"] for job in everybody["jobs"]] == [first, other, second]
    assert [job["position"] for job in everybody["jobs"]] == [1, 2, 3]
    assert [job["id"] for job in mine["jobs"]] == [other]
    assert everybody["others_before"] == 1
    assert "client" not in everybody["jobs"][0]
    for job in everybody["jobs"]:
        client.delete(f"/api/v1/jobs/{job['id']}")
    assert client.get("/api/v1/queue").json() == {"jobs": [], "others_before": 0}
