"""Plans, estimates and counts of tokens over HTTP."""

from __future__ import annotations

from fastapi.testclient import TestClient

from pipeline.studio import Studio


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


def test_an_estimate_tells_time_memory_and_where_it_comes_from(client: TestClient, studio: Studio) -> None:
    studio.generate("a boat", num_inference_steps=2)
    found = client.post("/api/v1/estimate", json={"num_images": 2}).json()
    assert found["seconds"] > 0
    assert found["memory_bytes"] > 1_000_000
    assert "earlier picture" in found["basis"]
    assert client.post("/api/v1/estimate", json={"model": "nobody"}).json()["code"] == "unknown_model"


def test_the_tokens_of_a_prompt_are_counted_for_the_model_that_would_read_it(client: TestClient) -> None:
    short, long = (client.post("/api/v1/tokens", json={"prompt": text}).json() for text in ("a boat", "a boat " * 400))
    assert (short["exact"], short["cut"]) == (True, "")
    assert short["tokens"] < short["limit"] < long["tokens"]
    assert long["cut"].strip().endswith("a boat")
    other = client.post("/api/v1/tokens", json={"prompt": "a boat", "model": "3.5-medium"}).json()
    assert (other["exact"], other["limit"]) == (False, 256)
