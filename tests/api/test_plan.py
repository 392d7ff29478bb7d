"""Plans over HTTP."""

from __future__ import annotations

from fastapi.testclient import TestClient


def test_a_plan_needs_no_prompt_and_names_every_component(client: TestClient) -> None:
    plan = client.post("/api/v1/plan", json={"model": "tiny"}).json()
    assert (plan["model"], plan["fits"]) == ("tiny", True)
    assert plan["sentence"]
    assert {part["name"] for part in plan["components"]} >= {"transformer", "text_encoder_3", "vae"}


def test_a_plan_without_a_model_is_that_of_the_default(client: TestClient) -> None:
    assert client.post("/api/v1/plan", json={}).json()["model"] == "tiny"


def test_a_plan_tells_what_would_be_downloaded_and_under_which_licence(client: TestClient) -> None:
    plan = client.post("/api/v1/plan", json={"model": "3.5-medium", "quantization": "nf4"}).json()
    assert plan["download_bytes"] > 10e9
    assert (plan["gated"], plan["exact"]) == (True, False)
    precisions = {part["name"]: part["precision"] for part in plan["components"]}
    assert (precisions["transformer"], precisions["vae"]) == ("nf4", "none")


def test_what_a_request_may_not_say_a_plan_may_not_either(client: TestClient) -> None:
    assert client.post("/api/v1/plan", json={"model": "nobody"}).status_code == 404
    wrong = client.post("/api/v1/plan", json={"model": "tiny", "num_images": 0})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "num_images")
