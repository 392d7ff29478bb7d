"""Pictures over HTTP: recipe, file, thumbnail."""

from __future__ import annotations

import io

from fastapi.testclient import TestClient
from PIL import Image

from pipeline.events import SavedImage
from pipeline.gallery.metadata import read_recipe


def test_the_file_is_the_very_png_with_its_recipe_inside(client: TestClient, image: SavedImage) -> None:
    answer = client.get(f"/api/v1/images/{image.id}/file")
    assert answer.headers["Content-Type"] == "image/png"
    assert image.path is not None
    assert answer.content == image.path.read_bytes()
    assert read_recipe(image.path) == image.recipe


def test_a_download_is_named_after_the_file(client: TestClient, image: SavedImage) -> None:
    assert image.path is not None
    disposition = client.get(f"/api/v1/images/{image.id}/file?download=1").headers["Content-Disposition"]
    assert disposition == f'attachment; filename="{image.path.name}"'
    assert client.get(f"/api/v1/images/{image.id}/file").headers["Content-Disposition"].startswith("inline")


def test_a_browser_that_has_the_picture_is_not_sent_it_again(client: TestClient, image: SavedImage) -> None:
    for path in (f"/api/v1/images/{image.id}/file", f"/api/v1/images/{image.id}/thumbnail"):
        first = client.get(path)
        assert "immutable" in first.headers["Cache-Control"]
        again = client.get(path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
        assert again.status_code == 304
        assert not again.content


def test_head_tells_the_size_without_the_picture(client: TestClient, image: SavedImage) -> None:
    answer = client.head(f"/api/v1/images/{image.id}/file")
    assert answer.status_code == 200
    assert image.path is not None
    assert int(answer.headers["Content-Length"]) == image.path.stat().st_size


def test_the_thumbnail_is_a_webp_no_larger_than_asked(client: TestClient, image: SavedImage) -> None:
    thumbnail = Image.open(io.BytesIO(client.get(f"/api/v1/images/{image.id}/thumbnail?side=32").content))
    assert thumbnail.format == "WEBP"
    assert max(thumbnail.size) == 32


def test_one_and_all_pictures_are_told_with_their_recipes(client: TestClient, image: SavedImage) -> None:
    assert client.get(f"/api/v1/images/{image.id}").json()["recipe"]["seed"] == 7
    newest = client.get("/api/v1/images?limit=1").json()
    assert [listed["id"] for listed in newest] == [image.id]


def test_an_unknown_picture_is_not_found_by_any_route(client: TestClient) -> None:
    for tail in ("", "/file", "/thumbnail"):
        answer = client.get(f"/api/v1/images/nobody{tail}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


def test_a_path_is_no_picture(client: TestClient) -> None:
    assert client.get("/api/v1/images/..%2f..%2fstudio.db/file").status_code == 404
