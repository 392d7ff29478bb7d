"""LoRAs, VAEs, upscalers and ControlNets over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import save_file

from pipeline.studio import Studio
from tests.api.conftest import client_of
from tests.models.weight_files import COMPACT, write


@pytest.fixture
def web(make_settings: Callable[..., Any], tmp_path: Path) -> Iterator[TestClient]:
    """A client of a studio with two files in its `loras` folder, of which one is a pickle."""
    loras = tmp_path / "weights" / "loras"
    loras.mkdir(parents=True)
    layer = "transformer.transformer_blocks.0.attn.to_q.lora"
    pair = {f"{layer}_A.weight": numpy.zeros((4, 1536)), f"{layer}_B.weight": numpy.zeros((1536, 4))}
    save_file(pair, loras / "ink.safetensors", {"modelspec.trigger_phrase": "ink wash"})
    (loras / "old.ckpt").write_bytes(b"x")
    studio = Studio(make_settings(weights=tmp_path / "weights"))
    yield client_of(studio)
    studio.close()


def test_loras_are_listed_with_family_and_trigger_words_and_without_their_places(
    web: TestClient, tmp_path: Path
) -> None:
    answer = web.get("/api/v1/loras")
    files = {file["name"]: file for file in answer.json()}
    assert files["ink"]["family"] == "sd3"
    assert files["ink"]["trigger_words"] == ["ink wash"]
    assert files["ink"]["refusal"] == ""
    assert str(tmp_path) not in answer.text


def test_a_file_that_cannot_be_used_is_listed_with_the_reason(web: TestClient) -> None:
    [old] = [file for file in web.get("/api/v1/loras").json() if file["name"].startswith("old")]
    assert "code" in old["refusal"]


def test_controlnets_are_listed_with_those_of_ones_own_and_for_one_model_alone(web: TestClient, tmp_path: Path) -> None:
    own = tmp_path / "weights" / "controlnet" / "lines"
    own.mkdir(parents=True)
    (own / "config.json").write_text('{"_class_name": "SD3ControlNetModel"}')
    save_file({"proj_out.weight": numpy.zeros((4, 4))}, own / "diffusion_pytorch_model.safetensors")
    answer = web.get("/api/v1/controlnets")
    nets = {net["id"]: net for net in answer.json()}
    assert (nets["lines"]["family"], nets["lines"]["here"]) == ("sd3", True)
    assert nets["demo-canny"]["maps"] == ["canny"]
    assert str(tmp_path) not in answer.text
    assert [net["id"] for net in web.get("/api/v1/controlnets?model=demo").json()] == ["demo-canny", "lines"]
    assert web.get("/api/v1/controlnets?model=nowhere").status_code == 404


def test_an_empty_folder_is_an_empty_list(web: TestClient) -> None:
    assert web.get("/api/v1/vaes").json() == []


def test_upscalers_are_listed_and_another_name_is_refused_under_its_field(web: TestClient, tmp_path: Path) -> None:
    write(tmp_path / "weights/upscalers/sharp.safetensors", COMPACT)
    listed = {one["name"]: one["factor"] for one in web.get("/api/v1/upscalers").json()}
    assert listed == {"lanczos": None, "darkroom-x4": 4, "sharp": 2}
    wish = {"prompt": "a house", "upscale": {"factor": 2, "upscaler": "blunt"}}
    refused = web.post("/api/v1/jobs", json=wish)
    assert (refused.status_code, refused.json()["field"]) == (404, "upscale")
    assert web.get("/api/v1/jobs").json() == []
