"""Files verified by upload, and pictures of the gallery made again to compare them."""

from __future__ import annotations

import io
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

from api.security import MAX_BODY
from api.uploads import MAX_BYTES
from pipeline.studio import Studio


def test_a_file_need_not_be_one_of_the_gallery_to_be_verified(client: TestClient, studio: Studio, image: Any) -> None:
    before = studio.gallery.recent()
    png = studio.gallery.png(image.id)
    assert client.post("/api/v1/verify", content=png).json()["state"] == "intact"
    stripped = io.BytesIO()
    Image.open(io.BytesIO(png)).save(stripped, "PNG")
    assert client.post("/api/v1/verify", content=stripped.getvalue()).json()["state"] == "unknown"
    assert client.post("/api/v1/verify", content=b"a text").json()["state"] == "unknown"
    assert studio.gallery.recent() == before


def test_a_file_may_be_as_large_as_an_upload_and_no_larger(client: TestClient) -> None:
    assert client.post("/api/v1/verify", content=bytes(MAX_BODY + 1)).status_code == 200
    assert client.post("/api/v1/verify", content=bytes(MAX_BYTES + 1)).status_code == 413
    empty = client.post("/api/v1/verify", content=b"")
    assert (empty.status_code, empty.json()["field"]) == (422, "file")


def test_a_picture_is_made_again_in_a_job_and_its_verdict_stands_at_the_address_that_was_told(
    client: TestClient, studio: Studio, image: Any
) -> None:
    path = f"/api/v1/images/{image.id}/rerun"
    assert client.get(path).status_code == 404
    started = client.post(path)
    assert (started.status_code, started.headers["location"]) == (202, path)
    assert started.json()["state"] in {"making", "identical"}
    assert client.get(f"/api/v1/jobs/{started.json()['job']}/events").status_code == 200
    studio.reruns.wait(image.id)
    found = client.get(path).json()
    assert (found["file"]["state"], found["state"], found["again"]) == ("intact", "identical", None)
    assert found["job"] == started.json()["job"]


def test_a_picture_that_is_not_there_is_not_made_again(client: TestClient) -> None:
    assert client.post("/api/v1/images/nowhere/rerun").status_code == 404
