import io
import tracemalloc
import zipfile
from datetime import UTC, datetime

import pytest

from pipeline.errors import NotFound
from pipeline.gallery.archive import Entry, stream
from tests.gallery.pictures import NOON, at, make_picture


def unpack(pieces) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return archive


def test_an_archive_has_every_picture_with_its_text(gallery):
    images = [gallery.save(at(second), "job-1") for second in range(2)]
    archive = unpack(gallery.archive([image.id for image in images]))
    for image in images:
        assert archive.read(image.path.name) == image.path.read_bytes()
        assert archive.read(f"{image.path.stem}.txt") == image.path.with_suffix(".txt").read_bytes()
    assert len(archive.namelist()) == 4


def test_pictures_with_one_name_get_numbers_and_keep_their_texts(gallery):
    images = [gallery.save(make_picture(model=model, prompt=model), "job-1") for model in ("a", "b")]
    archive = unpack(gallery.archive([image.id for image in images]))
    stem = images[0].path.stem
    assert archive.namelist() == [f"{stem}.png", f"{stem}.txt", f"{stem}-2.png", f"{stem}-2.txt"]
    assert archive.read(f"{stem}-2.png") == images[1].path.read_bytes()
    assert archive.read(f"{stem}-2.txt").startswith(b"b\n")


def test_a_picture_asked_for_twice_is_there_once(gallery):
    image = gallery.save(make_picture(), "job-1")
    assert len(unpack(gallery.archive([image.id, image.id])).namelist()) == 2


def test_kept_and_deleted_pictures_can_be_had(blocked):
    image = blocked.save(make_picture(), "job-1")
    archive = unpack(blocked.archive([image.id]))
    assert archive.read(f"{image.id}.png") == blocked.png(image.id)
    blocked.delete([image.id])
    assert len(unpack(blocked.archive([image.id])).namelist()) == 2


def test_an_unknown_picture_is_told_before_anything_is_sent(gallery):
    image = gallery.save(make_picture(), "job-1")
    with pytest.raises(NotFound):
        gallery.archive([image.id, "nobody"])


def test_an_archive_of_nothing_is_an_empty_one(gallery):
    assert unpack(gallery.archive([])).namelist() == []


def test_names_are_unique_where_case_does_not_count_and_in_folders():
    entries = [Entry(name, NOON, b"") for name in ("A.png", "a.png", "x/a.png", "x/A.PNG", "日本.png")]
    assert unpack(stream(entries)).namelist() == ["A.png", "a-2.png", "x/a.png", "x/A-2.PNG", "日本.png"]


@pytest.mark.parametrize("year", [1, 1970, 1980, 2107, 9999])
def test_a_date_that_a_zip_cannot_tell_does_not_stop_it(year):
    assert unpack(stream([Entry("a", datetime(year, 1, 1, tzinfo=UTC), b"1")])).read("a") == b"1"


def test_a_large_file_never_is_in_memory_as_a_whole(tmp_path):
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    sent = sum(len(piece) for piece in stream([Entry("large.png", NOON, large)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 64 * 2**20
    assert peak < 4 * 2**20
