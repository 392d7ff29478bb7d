"""Errors in the shape of each interface."""

from __future__ import annotations

import json

from api.shapes import a1111, openai, problem, render
from pipeline.errors import ErrorInfo

INFO = ErrorInfo(code="unknown_model", message="There is none.", remedy="Choose another.", field="model")


def test_the_path_decides_the_shape() -> None:
    for path, shape in {"/api/v1/jobs": problem, "/v1/models": openai, "/sdapi/v1/txt2img": a1111}.items():
        assert render(path, 404, INFO).body == shape(404, INFO).body


def test_openais_clients_find_their_own_code_the_field_and_the_whole_sentence() -> None:
    assert json.loads(bytes(openai(404, INFO).body)) == {
        "error": {
            "message": "There is none. Choose another.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


def test_openais_clients_ask_again_only_where_that_can_help() -> None:
    assert openai(429, INFO.model_copy(update={"code": "queue_full"})).headers["x-should-retry"] == "true"
    for status in (409, 429, 500, 503, 507):
        assert openai(status, INFO).headers["x-should-retry"] == "false"


def test_what_is_wrong_with_a_request_is_a_bad_request_for_openais_clients() -> None:
    assert openai(422, INFO).status_code == 400
    assert openai(413, INFO).status_code == 413


def test_openais_clients_know_a_refused_prompt_and_a_retired_model_by_their_own_codes() -> None:
    refused = openai(422, INFO.model_copy(update={"code": "content_refused"}))
    assert (refused.status_code, json.loads(bytes(refused.body))["error"]["code"]) == (400, "content_policy_violation")
    retired = openai(410, INFO.model_copy(update={"code": "model_retired"}))
    assert (retired.status_code, json.loads(bytes(retired.body))["error"]["code"]) == (404, "model_not_found")
