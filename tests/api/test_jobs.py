"""Jobs over HTTP: submit, follow, resume, cancel."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from pipeline.studio import Studio


def submit(client: TestClient, headers: dict[str, str] | None = None, **fields: Any) -> Response:
    body = {"prompt": "a red house", "num_inference_steps": 2} | fields
    return client.post("/api/v1/jobs", json=body, headers=headers)


def events(client: TestClient, job_id: str, last_event_id: str | None = None) -> list[dict[str, Any]]:
    """Every event of the stream until its end, each with its id and its name."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    text = client.get(f"/api/v1/jobs/{job_id}/events", headers=headers).text.replace("\r\n", "\n")
    blocks = [block for block in text.split("\n\n") if block.startswith("id:")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_a_job_is_accepted_followed_to_its_end_and_found_with_its_pictures(client: TestClient) -> None:
    accepted = submit(client, num_images=2)
    assert accepted.status_code == 202
    job_id = accepted.json()["id"]
    assert accepted.headers["Location"] == f"/api/v1/jobs/{job_id}"

    story = events(client, job_id)

    assert [event["event"] for event in story].count("saved") == 2
    assert story[-1]["event"] == "finished"
    assert all(json.loads(event["data"])["type"] == event["event"] for event in story)
    job = client.get(f"/api/v1/jobs/{job_id}").json()
    assert job["status"] == "finished"
    assert [image["recipe"]["seed"] - job["seed"] for image in job["images"]] == [0, 1]
    assert job_id in [listed["id"] for listed in client.get("/api/v1/jobs").json()]


def test_event_numbers_grow_and_a_cut_stream_goes_on_after_the_last_one_seen(client: TestClient) -> None:
    job_id = submit(client, num_images=2).json()["id"]
    story = events(client, job_id)
    numbers = [int(event["id"].split("-")[0]) for event in story]
    assert numbers == sorted(set(numbers))

    rest = events(client, job_id, last_event_id=story[-3]["id"])

    assert [event["id"] for event in rest] == [event["id"] for event in story[-2:]]


def test_event_numbers_of_another_run_of_the_server_are_not_believed(client: TestClient) -> None:
    job_id = submit(client).json()["id"]
    events(client, job_id)
    story = events(client, job_id)

    assert events(client, job_id, last_event_id="9999-0badcafe") == story
    assert events(client, job_id, last_event_id="nonsense") == story


def test_the_same_idempotency_key_gives_the_same_job(client: TestClient) -> None:
    first = submit(client, {"Idempotency-Key": "once"}).json()["id"]
    assert submit(client, {"Idempotency-Key": "once"}).json()["id"] == first
    assert submit(client, {"Idempotency-Key": "twice"}).json()["id"] != first


def test_an_idempotency_key_that_was_used_for_another_request_is_refused(client: TestClient) -> None:
    key = {"Idempotency-Key": "one wish"}
    first = submit(client, key, variation_strength=0.2).json()
    for other in ({"prompt": "a boat"}, {"variation_strength": 0.3}, {"variation_strength": 0.2, "seed": 5}):
        answer = submit(client, key, **other)
        assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
        assert "new key" in answer.json()["remedy"]
    assert submit(client, key, variation_strength=0.2).json()["id"] == first["id"]
    client.cookies.set("darkroom_client", "somebody else")
    assert submit(client, key, prompt="a boat").status_code == 202


def test_a_stream_is_kept_by_no_cache_and_held_back_by_no_proxy(client: TestClient) -> None:
    job_id = submit(client).json()["id"]
    headers = client.get(f"/api/v1/jobs/{job_id}/events").headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")


def test_jobs_are_listed_by_their_state_their_client_and_page_by_page(client: TestClient, studio: Studio) -> None:
    client.cookies.set("darkroom_client", "lister")
    ids = [submit(client, num_inference_steps=1).json()["id"] for _ in range(3)]
    for job_id in ids:
        studio.job(job_id).result()
    ids.append(submit(client, num_inference_steps=1000, num_images=16).json()["id"])
    client.delete(f"/api/v1/jobs/{ids[-1]}")
    events(client, ids[-1])

    def listed(**query: Any) -> tuple[list[str], str]:
        answer = client.get("/api/v1/jobs", params={"mine": True, **query})
        return [job["id"] for job in answer.json()], answer.headers["X-Total-Count"]

    assert listed() == (ids[::-1], "4")
    assert listed(status="finished") == (ids[2::-1], "3")
    assert listed(status=["finished", "cancelled"], limit=2, offset=1) == ([ids[2], ids[1]], "4")
    assert listed(status="failed") == ([], "0")
    everybody = client.get("/api/v1/jobs", params={"limit": 1})
    assert int(everybody.headers["X-Total-Count"]) > len(everybody.json()) == 1


def test_the_log_tells_what_happened_and_what_libraries_printed_to_the_owner_alone(
    client: TestClient, studio: Studio
) -> None:
    client.cookies.set("darkroom_client", "owner")
    job_id = submit(client, prompt="nobody else's business").json()["id"]
    studio.job(job_id).result()
    studio._dispatcher.log.printed(job_id, ["a library says"])

    mine = client.get(f"/api/v1/jobs/{job_id}/log").json()
    client.cookies.set("darkroom_client", "neighbour")
    others = client.get(f"/api/v1/jobs/{job_id}/log")

    assert mine[0]["text"].startswith("Queued: tiny")
    assert "a library says" in [line["text"] for line in mine]
    assert [line for line in mine if line["level"] != "printed"] == others.json()
    assert "business" not in others.text
    assert client.get("/api/v1/jobs/nobody/log").status_code == 404


def test_a_cancelled_job_ends_as_cancelled(client: TestClient, studio: Studio) -> None:
    job_id = submit(client, num_inference_steps=1000, num_images=16).json()["id"]
    next(event for event in studio.job(job_id).events() if event.type == "step")

    assert client.delete(f"/api/v1/jobs/{job_id}").status_code == 200

    assert events(client, job_id)[-1]["event"] == "cancelled"
    assert client.get(f"/api/v1/jobs/{job_id}").json()["status"] == "cancelled"


def test_what_is_wrong_with_a_request_is_told_with_its_field_and_a_remedy(client: TestClient) -> None:
    cases = {
        "prompt": {"prompt": "   "},
        "width": {"width": 100},
        "num_inference_steps": {"num_inference_steps": 0},
        "num_image": {"num_image": 2},
        "seed": {"seed": "lucky"},
    }
    for field, wrong in cases.items():
        answer = submit(client, **wrong)
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["field"]) == ("invalid_request", field)
        assert problem["detail"]
        assert problem["remedy"]


def test_a_body_that_is_not_json_and_one_that_is_missing_are_told_apart(client: TestClient) -> None:
    broken = client.post("/api/v1/jobs", content="{", headers={"Content-Type": "application/json"})
    assert broken.json()["detail"] == "The body is not valid JSON."
    assert client.post("/api/v1/jobs").json()["detail"] == "The request has no body."


def test_an_unknown_model_and_an_unknown_job_are_not_found(client: TestClient) -> None:
    assert submit(client, model="nobody").json()["code"] == "unknown_model"
    for answer in (client.get("/api/v1/jobs/nobody"), client.get("/api/v1/jobs/nobody/events")):
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


def test_a_waiting_job_is_moved_before_its_clients_others(client: TestClient) -> None:
    front = submit(client, num_inference_steps=1000, num_images=16).json()["id"]
    first, second = (submit(client).json()["id"] for _ in range(2))

    answer = client.post(f"/api/v1/jobs/{second}/move", json={"to": "first"})

    assert (answer.status_code, answer.json()["position"]) == (200, 1)
    assert client.get(f"/api/v1/jobs/{first}").json()["position"] == 2
    for job_id in (second, first, front):
        client.delete(f"/api/v1/jobs/{job_id}")
    ended = client.post(f"/api/v1/jobs/{second}/move", json={"to": "last"})
    assert (ended.status_code, ended.json()["status"]) == (200, "cancelled")


def test_a_move_to_nowhere_and_of_an_unknown_job_are_refused(client: TestClient) -> None:
    job_id = submit(client).json()["id"]
    refused = client.post(f"/api/v1/jobs/{job_id}/move", json={"to": "the moon"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert client.post("/api/v1/jobs/nobody/move", json={"to": "first"}).status_code == 404


def test_who_asked_for_a_job_stays_private(client: TestClient) -> None:
    client.cookies.set("darkroom_client", "alice")
    job_id = submit(client).json()["id"]
    for path in (f"/api/v1/jobs/{job_id}", "/api/v1/jobs"):
        assert "alice" not in client.get(path).text


def test_unknown_routes_under_api_are_problems_and_never_the_page(client: TestClient) -> None:
    answer = client.get("/api/v2/anything")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.put("/api/v1/jobs").status_code in {404, 405}
