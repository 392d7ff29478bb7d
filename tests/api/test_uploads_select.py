"""Selecting with a click over HTTP: a real worker with a tiny segmentation model of random weights."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from huggingface_hub import constants

from api.uploads import PREFIX
from pipeline.engine.selector import Selector
from pipeline.errors import WorkerDied
from pipeline.events import Step
from pipeline.inputs import Selection
from pipeline.jobs.job import Job
from pipeline.models.segmenters import RECORDS, chosen
from pipeline.pictures.store import InputStore
from pipeline.request import parse_request
from pipeline.studio import Studio
from tests.api.test_uploads import brought, refused
from tests.checkpoints.segmenters import sam2_checkpoint
from tests.pictures.samples import noisy

HERE = {"points": [{"x": 20, "y": 30}]}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def fetched(hub: Path) -> None:
    """The tiny model where `hf download` puts the one that is recommended."""
    home = hub / f"models--{RECORDS[0].id.replace('/', '--')}"
    sam2_checkpoint(home / "snapshots" / "c0ffee")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c0ffee")


@pytest.fixture
def picture(client: TestClient) -> str:
    return brought(client, noisy(64, 64))


def select(client: TestClient, picture: str, **wish: Any) -> Any:
    return client.post(f"{PREFIX}/{picture}/select", json=wish)


def test_without_a_segmentation_model_the_answer_says_how_to_fetch_one(
    client: TestClient, picture: str, hub: Path
) -> None:
    told = refused(select(client, picture, **HERE), 503, "points")
    assert told["code"] == "model_unavailable"
    assert RECORDS[0].command in told["remedy"]
    assert [one["here"] for one in client.get("/api/v1/segmenters").json()] == [False, False]


@pytest.mark.usefixtures("fetched")
def test_the_mask_is_the_engine_s_for_that_point_and_can_be_named_in_a_job(
    client: TestClient, studio: Studio, picture: str, tmp_path: Path
) -> None:
    answer = select(client, picture, **HERE)
    assert answer.status_code == 201
    mask = answer.json()["id"]
    assert answer.json() == {"id": mask, "width": 64, "height": 64, "notes": []}
    own = InputStore(tmp_path / "inputs")
    expected = Selector(chosen(studio.settings.weights), "cpu").select(own.put(noisy(64, 64)), Selection(**HERE), own)
    assert mask == expected
    assert select(client, picture, **HERE).json()["id"] == mask
    assert select(client, picture, points=[{"x": 20, "y": 30}, {"x": 50, "y": 9, "label": 0}]).json()["id"] != mask
    assert studio.check(parse_request(prompt="a boat", image=picture, mask=mask)) == ()
    assert [one["here"] for one in client.get("/api/v1/segmenters").json()] == [True, False]


@pytest.mark.parametrize(
    ("wish", "field", "sentence"),
    [
        ({"points": [{"x": 64, "y": 3}]}, "points", "64 × 64 pixels"),
        ({"points": [{"x": -1, "y": 3}]}, "points", ""),
        ({"points": [{"x": 9, "y": 3, "label": 0}]}, "points", "Nothing is pointed at"),
        ({"points": [{"x": 9, "y": 3}] * 65}, "points", ""),
        ({"points": [{"x": 9, "y": "NaN"}]}, "points", ""),
        ({"box": [40, 10, 20, 30]}, "box", "is no box"),
        ({"box": [4, 10, 20, 65]}, "box", "outside"),
        ({"points": [], "model": "sam"}, "model", "not a setting"),
    ],
)
@pytest.mark.usefixtures("fetched")
def test_what_points_at_nothing_in_the_picture_is_refused_with_its_field(
    client: TestClient, picture: str, wish: dict[str, Any], field: str, sentence: str
) -> None:
    assert sentence in refused(select(client, picture, **wish), 422, field)["detail"]


@pytest.mark.usefixtures("fetched")
def test_a_picture_that_is_not_kept_is_not_found(client: TestClient) -> None:
    assert "not kept" in refused(select(client, f"{'a' * 64}-64x64", **HERE), 404, "image")["detail"]
    refused(select(client, "..%2Fstudio.db", **HERE), 404, None)


def in_hand(studio: Studio) -> Job:
    """A job whose first step is done, and that has many to go."""
    job = studio.submit(parse_request(prompt="a long one", num_inference_steps=50, num_images=4))
    next(event for event in job.events() if isinstance(event, Step))
    return job


@pytest.mark.usefixtures("fetched")
def test_a_selection_waits_for_the_job_in_hand_and_is_answered_before_the_next_one(
    client: TestClient, studio: Studio, picture: str
) -> None:
    first = in_hand(studio)
    second = studio.submit(parse_request(prompt="the next one", num_inference_steps=1))
    seen: list[tuple[str | None, str]] = []

    def note(_: Future[str]) -> None:
        seen.append((studio.worker_states[0].job_id, studio.job(second.id).state.status))

    answer = studio.select(picture, Selection(**HERE))
    answer.add_done_callback(note)
    assert answer.result(120) == select(client, picture, **HERE).json()["id"]
    assert len(first.result()) == 4
    assert len(second.result()) == 1
    [(job_id, status)] = seen
    assert job_id != first.id
    assert status != "finished"


@pytest.mark.usefixtures("fetched")
def test_a_selection_whose_worker_ends_is_told_so_and_the_next_one_is_answered(studio: Studio, picture: str) -> None:
    job = in_hand(studio)
    answer = studio.select(picture, Selection(**HERE))
    studio.restart_worker()
    with pytest.raises(WorkerDied, match="Try again"):
        answer.result(120)
    job.cancel()
    assert studio.select(noisy(64, 64), Selection(**HERE)).result(120)
