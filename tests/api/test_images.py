"""Pictures over HTTP: found, marked, deleted; their files, thumbnails, archives and differences."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.events import SavedImage
from pipeline.gallery.metadata import read_recipe
from pipeline.studio import Studio
from tests.gallery.pictures import at
from tests.pictures.samples import png_header

UNKNOWN = "0123456789abcdef"


@pytest.fixture
def other(studio: Studio) -> SavedImage:
    """A picture of the same size as `image`, made later."""
    [other] = studio.generate("a house", num_inference_steps=2, seed=8)
    return other


@pytest.fixture
def small(studio: Studio) -> Iterator[list[SavedImage]]:
    """Three pictures of 16 × 8 pixels, of models that made no others; the last is the newest. Gone after the test."""
    images = [
        studio.gallery.save(at(second, prompt=prompt, model=f"test/{prompt[-4:]}"), "job-small")
        for second, prompt in enumerate(("a red barn", "100% of a barn", "a boat"))
    ]
    yield images
    studio.gallery.delete([image.id for image in images])
    studio.gallery.empty_trash()


def ids(answer: object) -> list[str]:
    return [image["id"] for image in answer["images"]]


# -- finding


def test_what_there_is_to_choose_from_is_counted(client: TestClient, small: list[SavedImage]) -> None:
    facets = client.get("/api/v1/images/facets").json()
    assert ["test/barn", 2] in facets["models"]
    assert [16, 8, 3] in facets["sizes"]


def test_the_request_behind_a_picture_makes_it_again(client: TestClient, studio: Studio, image: SavedImage) -> None:
    request = client.get(f"/api/v1/images/{image.id}/request").json()
    job = client.post("/api/v1/jobs", json=request).json()
    [again] = studio.job(job["id"]).result()
    assert again.recipe.sha256 == image.recipe.sha256


def test_the_settings_in_a_file_are_read_as_fields_of_a_request(client: TestClient, image: SavedImage) -> None:
    png = client.get(f"/api/v1/images/{image.id}/file").content
    read = client.post("/api/v1/images/settings", content=png).json()
    assert (read["source"], read["fields"]["prompt"], read["fields"]["seed"]) == ("darkroom", "a boat", 7)
    assert client.post("/api/v1/jobs", json=read["fields"]).status_code == 202


@pytest.mark.parametrize("data", [b"", b"a text", png_header(60_000, 60_000)], ids=["empty", "text", "bomb"])
def test_a_file_without_settings_is_refused(client: TestClient, data: bytes) -> None:
    answer = client.post("/api/v1/images/settings", content=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_one_picture_is_told_with_its_recipe(client: TestClient, image: SavedImage) -> None:
    answer = client.get(f"/api/v1/images/{image.id}").json()
    assert answer["recipe"]["seed"] == 7
    assert (answer["favourite"], answer["rating"], answer["deleted"]) == (False, 0, False)


def test_a_picture_tells_its_family(client: TestClient, studio: Studio, image: SavedImage) -> None:
    child = studio.gallery.save(at(0, image=image.recipe.pixels), "job-child")
    told = client.get(f"/api/v1/images/{child.id}/family").json()
    assert (told["parent"]["recipe"]["sha256"], told["children"]) == (image.recipe.sha256, [])
    assert told["ancestors"] == [told["parent"]]
    told = client.get(f"/api/v1/images/{image.id}/family").json()
    assert (told["parent"], [one["id"] for one in told["children"]]) == (None, [child.id])
    studio.gallery.delete([child.id])
    studio.gallery.empty_trash()
    assert client.get(f"/api/v1/images/{UNKNOWN}/family").status_code == 404


def test_pictures_come_in_pages_with_their_number(client: TestClient, small: list[SavedImage]) -> None:
    everything = client.get("/api/v1/images").json()
    assert everything["total"] == len(everything["images"])
    pages = [client.get(f"/api/v1/images?text=barn&limit=1&offset={offset}").json() for offset in range(3)]
    assert [ids(page) for page in pages] == [[small[1].id], [small[0].id], []]
    assert {page["total"] for page in pages} == {2}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"text": "BARN red"}, [0]),
        ({"text": "100%"}, [1]),
        ({"text": "%", "model": "test/barn"}, [1]),
        ({"model": "test/boat"}, [2]),
        ({"model": "test/boat", "width": 16, "height": 8}, [2]),
        ({"model": "test/boat", "width": 17}, []),
        ({"model": "test/boat", "since": "2026-11-20", "until": "2026-11-22"}, [2]),
        ({"model": "test/boat", "until": "2026-11-19"}, []),
        ({"model": "test/boat", "favourite": "true"}, []),
        ({"model": "test/boat", "deleted": "1"}, []),
    ],
)
def test_a_search_narrows_by_everything_that_a_query_has(
    client: TestClient, small: list[SavedImage], wanted: dict[str, object], found: list[int]
) -> None:
    answer = client.get(f"/api/v1/images?{urlencode(wanted)}").json()
    assert ids(answer) == [small[number].id for number in found]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "offset=-1",
        "offset=99999999999999999999",
        "width=99999999999999999999",
        "min_rating=6",
        "since=yesterday",
        "colour=red",
        f"text={'a' * 201}",
    ],
)
def test_a_query_that_cannot_be_is_refused_with_its_field(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/v1/images?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == query.partition("=")[0]


def test_a_copy_is_as_good_as_is_asked_for(client: TestClient, image: SavedImage) -> None:
    path = f"/api/v1/images/{image.id}/file?format=jpeg"
    copies = [client.get(f"{path}&quality={quality}") for quality in (0, 100)]
    assert len(copies[0].content) < len(copies[1].content)
    assert copies[0].headers["ETag"] != copies[1].headers["ETag"]
    assert client.get(f"{path}&quality=101").status_code == 422


def test_an_unknown_picture_is_not_found_by_any_route(client: TestClient, image: SavedImage) -> None:
    for tail in ("", "/file", "/file?format=webp", "/thumbnail", "/verify", f"/difference/{image.id}"):
        answer = client.get(f"/api/v1/images/{UNKNOWN}{tail}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
    assert client.get(f"/api/v1/images/{image.id}/difference/{UNKNOWN}/map").status_code == 404
    assert client.get(f"/api/v1/images/archive?id={image.id}&id={UNKNOWN}").status_code == 404
    assert client.patch(f"/api/v1/images/{UNKNOWN}", json={"rating": 1}).status_code == 404
    assert client.delete(f"/api/v1/images/{UNKNOWN}").status_code == 404
    assert client.post(f"/api/v1/images/{UNKNOWN}/restore").status_code == 404


def test_a_path_is_no_picture(client: TestClient) -> None:
    for path in ("..%2f..%2fstudio.db", "%2e%2e", "trash", "%00"):
        for tail in ("/file", "/thumbnail", "/verify"):
            assert client.get(f"/api/v1/images/{path}{tail}").status_code == 404


# -- files and thumbnails


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


@pytest.mark.parametrize(("kind", "ending"), [("png", "png"), ("jpeg", "jpg"), ("webp", "webp")])
def test_a_picture_can_have_any_name(client: TestClient, image: SavedImage, kind: str, ending: str) -> None:
    assert image.path is not None
    image.path.rename(image.path.with_name('Zürich, "夜".png'))
    answer = client.get(f"/api/v1/images/{image.id}/file?format={kind}&download=1")
    assert answer.status_code == 200
    encoded = f"Z%C3%BCrich%2C%20%22%E5%A4%9C%22.{ending}"
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=utf-8''{encoded}"


@pytest.mark.parametrize(("kind", "ending", "decoder"), [("jpeg", "jpg", "JPEG"), ("webp", "webp", "WEBP")])
def test_a_copy_in_another_format_has_the_recipe_and_a_name(
    client: TestClient, image: SavedImage, kind: str, ending: str, decoder: str
) -> None:
    answer = client.get(f"/api/v1/images/{image.id}/file?format={kind}&download=1")
    assert answer.headers["Content-Type"] == f"image/{kind}"
    assert image.path is not None
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{image.path.stem}.{ending}"'
    assert Image.open(io.BytesIO(answer.content)).format == decoder
    assert read_recipe(answer.content) == image.recipe
    again = client.get(
        f"/api/v1/images/{image.id}/file?format={kind}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_a_format_that_we_do_not_write_is_refused(client: TestClient, image: SavedImage) -> None:
    answer = client.get(f"/api/v1/images/{image.id}/file?format=bmp")
    assert (answer.status_code, answer.json()["field"]) == (422, "format")


def test_a_browser_that_has_the_picture_is_not_sent_it_again(client: TestClient, image: SavedImage) -> None:
    for path in (f"/api/v1/images/{image.id}/file", f"/api/v1/images/{image.id}/thumbnail"):
        first = client.get(path)
        assert "max-age" in first.headers["Cache-Control"]
        again = client.get(path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
        assert again.status_code == 304
        assert not again.content


def test_a_browser_is_sent_a_picture_that_was_painted_over(client: TestClient, small: list[SavedImage]) -> None:
    path = f"/api/v1/images/{small[0].id}/thumbnail"
    first = client.get(path)
    assert small[0].path is not None
    png = small[0].path.read_bytes()
    Image.new("RGB", (16, 8), "orange").save(small[0].path, pnginfo=_chunks(png))
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.content != first.content


def test_head_tells_the_size_without_the_picture(client: TestClient, image: SavedImage) -> None:
    answer = client.head(f"/api/v1/images/{image.id}/file")
    assert answer.status_code == 200
    assert image.path is not None
    assert int(answer.headers["Content-Length"]) == image.path.stat().st_size
    assert client.head(f"/api/v1/images/{image.id}/thumbnail").status_code == 200
    assert client.head(f"/api/v1/images/{UNKNOWN}/file").status_code == 404


def test_the_thumbnail_is_a_webp_no_larger_than_asked(client: TestClient, image: SavedImage) -> None:
    thumbnail = Image.open(io.BytesIO(client.get(f"/api/v1/images/{image.id}/thumbnail?side=32").content))
    assert thumbnail.format == "WEBP"
    assert max(thumbnail.size) == 32


# -- marks, deleting and bringing back


def test_a_mark_is_kept_and_found(client: TestClient, small: list[SavedImage]) -> None:
    path = f"/api/v1/images/{small[0].id}"
    assert client.patch(path, json={"favourite": True}).json()["favourite"] is True
    assert client.patch(path, json={"rating": 4}).json()["rating"] == 4
    told = client.patch(path, json={}).json()
    assert (told["favourite"], told["rating"]) == (True, 4)
    assert ids(client.get("/api/v1/images?favourite=1&min_rating=4&text=barn").json()) == [small[0].id]


@pytest.mark.parametrize("marks", [{"rating": 6}, {"rating": -1}, {"favourite": "perhaps"}, {"stars": 3}])
def test_a_mark_that_cannot_be_is_refused_with_its_field(
    client: TestClient, small: list[SavedImage], marks: dict[str, object]
) -> None:
    answer = client.patch(f"/api/v1/images/{small[0].id}", json=marks)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(marks)))


def test_a_deleted_picture_is_listed_apart_still_answers_and_comes_back(
    client: TestClient, small: list[SavedImage]
) -> None:
    path = f"/api/v1/images/{small[0].id}"
    for _ in range(2):  # the second time, as from another tab, changes nothing
        answer = client.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
    assert ids(client.get("/api/v1/images?text=barn").json()) == [small[1].id]
    assert ids(client.get("/api/v1/images?text=barn&deleted=1").json()) == [small[0].id]
    assert client.get(path).json()["deleted"] is True
    assert client.get(f"{path}/file").status_code == client.get(f"{path}/thumbnail").status_code == 200
    for _ in range(2):
        assert client.post(f"{path}/restore").json()["deleted"] is False
    assert ids(client.get("/api/v1/images?text=barn").json()) == [small[1].id, small[0].id]


# -- archives


def test_an_archive_has_the_pictures_and_their_texts(client: TestClient, small: list[SavedImage]) -> None:
    answer = client.get("/api/v1/images/archive", params=[("id", image.id) for image in small])
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="darkroom-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 6
        for image in small:
            assert image.path is not None
            assert archive.read(image.path.name) == image.path.read_bytes()


def test_too_many_pictures_for_an_archive_are_refused_with_a_sentence(client: TestClient) -> None:
    answer = client.get("/api/v1/images/archive", params=[("id", f"{number:016x}") for number in range(501)])
    assert answer.status_code == 422
    assert answer.json()["detail"] == "501 pictures are too many for one archive."
    assert answer.json()["remedy"] == "Ask for 500 at a time."


def test_an_archive_of_nothing_is_refused(client: TestClient) -> None:
    answer = client.get("/api/v1/images/archive")
    assert (answer.status_code, answer.json()["field"]) == (422, "id")


# -- verifying and comparing


def test_a_picture_is_verified_by_its_pixels(client: TestClient, small: list[SavedImage]) -> None:
    assert client.get(f"/api/v1/images/{small[0].id}/verify").json()["state"] == "intact"
    assert small[0].path is not None
    chunks = _chunks(small[0].path.read_bytes())
    Image.new("RGB", (16, 8), "orange").save(small[0].path, pnginfo=chunks)
    verdict = client.get(f"/api/v1/images/{small[0].id}/verify").json()
    assert verdict["state"] == "altered"
    assert verdict["sentence"].endswith(".")


def test_two_pictures_are_compared_in_numbers_and_on_a_map(
    client: TestClient, image: SavedImage, other: SavedImage
) -> None:
    path = f"/api/v1/images/{image.id}/difference"
    same = client.get(f"{path}/{image.id}").json()
    assert (same["identical"], same["psnr"], same["changed"]) == (True, None, 0.0)
    apart = client.get(f"{path}/{other.id}").json()
    assert not apart["identical"]
    assert apart["psnr"] > 0
    drawn = client.get(f"{path}/{other.id}/map?gain=4")
    assert drawn.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.content)).size == (image.recipe.width, image.recipe.height)


def test_pictures_of_two_sizes_are_not_compared_and_a_sentence_says_so(
    client: TestClient, image: SavedImage, small: list[SavedImage]
) -> None:
    for tail in ("", "/map"):
        answer = client.get(f"/api/v1/images/{image.id}/difference/{small[0].id}{tail}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert "different sizes" in answer.json()["detail"]


@pytest.mark.parametrize("gain", ["0", "256", "nan", "much"])
def test_a_gain_that_shows_nothing_is_refused(client: TestClient, image: SavedImage, gain: str) -> None:
    answer = client.get(f"/api/v1/images/{image.id}/difference/{image.id}/map?gain={gain}")
    assert (answer.status_code, answer.json()["field"]) == (422, "gain")


def _chunks(png: bytes) -> PngInfo:
    """The texts that a PNG carries, as an editor keeps them."""
    chunks = PngInfo()
    with Image.open(io.BytesIO(png)) as image:
        for key, text in image.info.items():
            chunks.add_itxt(str(key), str(text))
    return chunks
