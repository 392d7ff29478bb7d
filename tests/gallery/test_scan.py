import io
import multiprocessing
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import NotFound
from pipeline.gallery import encode_png
from pipeline.gallery.formats import export
from pipeline.gallery.index import Index
from pipeline.gallery.query import ImageQuery
from tests.gallery.pictures import ORIGIN, at, make_picture, make_recipe, open_gallery

SPAWN = multiprocessing.get_context("spawn")


def die_between_file_and_row(outputs: Path) -> None:
    Index.put = lambda self, rows: os.kill(os.getpid(), signal.SIGKILL)
    open_gallery(outputs).save(make_picture(index=2), "job-killed")


def spawn(target, *arguments) -> int | None:
    child = SPAWN.Process(target=target, args=arguments)
    child.start()
    child.join()
    return child.exitcode


def settle(outputs: Path) -> None:
    """Let every folder look as if nothing had happened in it for long."""
    for folder in (outputs, *outputs.rglob("*")):
        if folder.is_dir():
            os.utime(folder, (1000, 1000))


# -- reading everything


def test_the_index_is_rebuilt_from_the_pictures_alone(outputs):
    gallery = open_gallery(outputs)
    before = [gallery.save(at(second, index=second), "job-1") for second in range(3)]
    gallery.close()
    shutil.rmtree(outputs / ".darkroom")
    gallery = open_gallery(outputs)
    assert gallery.recent() == before[::-1]
    assert gallery.rebuild() == 3
    assert gallery.recent() == before[::-1]
    gallery.close()


def test_a_picture_whose_process_was_killed_before_its_row_is_found_at_the_next_start(outputs):
    assert spawn(die_between_file_and_row, outputs) == -signal.SIGKILL
    gallery = open_gallery(outputs)
    [image] = gallery.recent()
    assert (image.job_id, image.index) == ("job-killed", 2)
    gallery.close()


def test_pictures_of_other_tools_are_left_alone(gallery, outputs):
    Image.new("RGB", (4, 4)).save(outputs / "holiday.png")
    (outputs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    gallery.save(make_picture(), "job-1")
    assert gallery.rebuild() == 1
    assert (outputs / "holiday.png").exists()


def test_a_deleted_file_is_not_found_and_no_longer_listed(gallery):
    image, other = (gallery.save(at(second), "job-1") for second in range(2))
    image.path.unlink()
    with pytest.raises(NotFound, match="was moved or deleted"):
        gallery.png(image.id)
    assert gallery.recent() == gallery.of_job("job-1") == [other]


def test_a_page_is_full_although_files_of_it_were_deleted(gallery):
    images = [gallery.save(at(second), "job-1") for second in range(6)]
    images[5].path.unlink()
    images[4].path.unlink()
    assert gallery.recent(limit=2) == [images[3], images[2]]


def test_a_moved_file_keeps_its_id(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    target = outputs / "best" / "mine.png"
    target.parent.mkdir()
    image.path.rename(target)
    assert gallery.rebuild() == 1
    assert gallery.find(image.id).path == target
    assert gallery.recent() == [image.model_copy(update={"path": target})]


def test_a_copied_file_does_not_take_the_place_of_the_first(outputs):
    gallery = open_gallery(outputs)
    image = gallery.save(make_picture(), "job-1")
    shutil.copy(image.path, outputs / "a-copy.png")
    gallery.rebuild()
    assert gallery.find(image.id) == image
    gallery.close()
    gallery = open_gallery(outputs)
    assert gallery.recent() == [image]
    gallery.close()


def test_a_picture_without_its_id_gets_one_that_stays(gallery, outputs):
    with Image.open(io.BytesIO(encode_png(make_picture(), ORIGIN))) as image:
        chunks = PngInfo()
        chunks.add_itxt("darkroom", image.info["darkroom"])
        image.save(outputs / "edited.png", pnginfo=chunks)
    gallery.rebuild()
    [first] = gallery.recent()
    gallery.rebuild()
    assert gallery.recent() == [first]
    assert first.id != ORIGIN.id


def test_an_index_of_the_first_version_is_made_anew_from_the_pictures_and_the_jobs_stay(outputs):
    gallery = open_gallery(outputs)
    images = [gallery.save(at(second), "job-1") for second in range(2)]
    gallery.close()
    with sqlite3.connect(outputs / ".darkroom" / "studio.db") as connection:
        connection.executescript(FIRST_VERSION)
    connection.close()
    gallery = open_gallery(outputs)
    assert gallery.recent() == images[::-1]
    assert gallery.mark(images[0].id, rating=1).rating == 1
    gallery.close()
    with sqlite3.connect(outputs / ".darkroom" / "studio.db") as connection:
        assert connection.execute("SELECT id FROM jobs").fetchall() == [("kept",)]
    connection.close()


FIRST_VERSION = """
    DROP TABLE images;
    DROP TABLE marks;
    CREATE TABLE images (id TEXT PRIMARY KEY, job_id TEXT NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL,
        created_at REAL NOT NULL, recipe TEXT NOT NULL);
    INSERT INTO images VALUES ('0123456789abcdef', 'job-1', 0, 'demo/old.png', 0, '{}');
    CREATE TABLE jobs (id TEXT);
    INSERT INTO jobs VALUES ('kept');
    PRAGMA user_version = 1;
"""


def test_marks_and_deleted_pictures_survive_a_rebuilding(gallery, outputs):
    marked, deleted = (gallery.save(at(second), "job-1") for second in range(2))
    gallery.mark(marked.id, favourite=True)
    gallery.mark(deleted.id, rating=4)
    gallery.delete([deleted.id])
    assert gallery.rebuild() == 2
    assert gallery.find(marked.id).favourite
    [image] = gallery.search(ImageQuery(deleted=True)).images
    assert (image.id, image.rating, image.deleted) == (deleted.id, 4, True)


def test_deleted_pictures_survive_the_loss_of_the_index(outputs):
    gallery = open_gallery(outputs)
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([image.id])
    gallery.close()
    for part in (outputs / ".darkroom").glob("studio.db*"):
        part.unlink()
    gallery = open_gallery(outputs)
    assert gallery.recent() == []
    assert gallery.restore([image.id]) == (image.id,)
    assert gallery.recent() == [image]
    gallery.close()


def test_names_that_are_no_text_and_sizes_that_are_no_sizes_do_no_harm(gallery, outputs):
    (outputs / "demo").mkdir(parents=True)
    png = encode_png(make_picture(), ORIGIN)
    Path(os.fsdecode(os.fsencode(outputs / "demo") + b"/bad\xff.png")).write_bytes(png)
    chunks = PngInfo()
    chunks.add_itxt("darkroom", make_recipe(width=10**30).model_dump_json())
    Image.new("RGB", (4, 4)).save(outputs / "demo" / "huge.png", pnginfo=chunks)
    gallery.refresh()
    assert gallery.recent() == []


# -- noticing what happens outside


def test_nothing_is_noticed_when_nothing_happened(gallery):
    gallery.save(make_picture(), "job-1")
    assert not gallery.refresh()
    assert not gallery.refresh()


def test_a_picture_put_into_a_folder_is_noticed(gallery, outputs):
    gallery.save(make_picture(), "job-1")
    settle(outputs)
    gallery.refresh()
    added = outputs / "from a friend" / "best" / "picture.PNG"
    added.parent.mkdir(parents=True)
    added.write_bytes(encode_png(make_picture(), ORIGIN))
    assert gallery.refresh()
    assert gallery.find(ORIGIN.id).path == added
    assert not gallery.refresh()


def test_a_folder_without_pictures_yet_is_watched_too(gallery, outputs):
    (outputs / "later").mkdir(parents=True)
    gallery.refresh()
    settle(outputs)
    gallery.refresh()
    (outputs / "later" / "picture.png").write_bytes(encode_png(make_picture(), ORIGIN))
    assert gallery.refresh()
    assert gallery.find(ORIGIN.id)


def test_a_picture_that_was_moved_is_followed_with_its_marks(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    gallery.mark(image.id, rating=5)
    settle(outputs)
    gallery.refresh()
    target = outputs / "best" / "mine.png"
    target.parent.mkdir()
    image.path.rename(target)
    assert gallery.refresh()
    [found] = gallery.search(ImageQuery(text="mine.png")).images
    assert (found.id, found.path, found.rating) == (image.id, target, 5)


def test_a_picture_that_was_moved_is_found_without_looking_at_the_gallery_first(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    target = outputs / "best" / "mine.png"
    target.parent.mkdir()
    image.path.rename(target)
    assert gallery.find(image.id).path == target
    target.rename(outputs / "again.png")
    assert [image.path for image in gallery.of_job("job-1")] == [outputs / "again.png"]


def test_a_whole_folder_that_was_renamed_is_followed(gallery, outputs):
    images = [gallery.save(at(second), "job-1") for second in range(3)]
    settle(outputs)
    gallery.refresh()
    images[0].path.parent.rename(outputs / "summer")
    assert gallery.refresh()
    assert [image.id for image in gallery.recent()] == [image.id for image in images[::-1]]
    assert {image.path.parent.name for image in gallery.recent()} == {"summer"}


def test_a_folder_that_was_removed_takes_its_pictures_with_it(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    settle(outputs)
    gallery.refresh()
    shutil.rmtree(image.path.parent)
    assert gallery.refresh()
    assert gallery.recent() == []
    assert gallery.facets().total == 0


def test_the_outputs_folder_may_go_and_come_back(gallery, outputs, tmp_path):
    image = gallery.save(make_picture(), "job-1")
    outputs.rename(tmp_path / "away")
    assert gallery.refresh()
    assert gallery.recent() == []
    (tmp_path / "away").rename(outputs)
    assert gallery.refresh()
    assert gallery.recent() == [image]


def test_a_picture_written_over_by_another_gives_its_place_to_it(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    settle(outputs)
    gallery.refresh()
    image.path.write_bytes(encode_png(at(9, prompt="another"), ORIGIN))
    with pytest.raises(NotFound):
        gallery.find(image.id)
    assert [found.id for found in gallery.recent()] == [ORIGIN.id]
    assert gallery.search(ImageQuery(text="another")).total == 1


def test_a_picture_that_lost_its_recipe_is_none_of_ours_any_more(gallery):
    image = gallery.save(make_picture(), "job-1")
    Image.new("RGB", (4, 4)).save(image.path)
    assert gallery.recent() == []
    assert gallery.refresh() is False


def test_a_copy_is_shown_once_the_first_is_gone(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    copy = outputs / "copies" / "one.png"
    copy.parent.mkdir()
    shutil.copy(image.path, copy)
    gallery.refresh()
    assert gallery.recent() == [image]
    settle(outputs)
    gallery.refresh()
    image.path.unlink()
    assert [found.path for found in gallery.recent()] == [copy]


def test_an_index_that_takes_nothing_is_brought_up_to_date_later(gallery, outputs, monkeypatch):
    def refuse(self, paths, rows):
        raise sqlite3.OperationalError("database or disk is full")

    (outputs / "demo").mkdir(parents=True)
    (outputs / "demo" / "a.png").write_bytes(encode_png(make_picture(), ORIGIN))
    settle(outputs)
    with monkeypatch.context() as patch:
        patch.setattr(Index, "replace", refuse)
        assert not gallery.refresh()
    assert gallery.refresh()
    assert gallery.find(ORIGIN.id)


def test_a_copy_in_another_format_that_was_renamed_is_not_taken_for_a_picture(outputs: Path) -> None:
    gallery = open_gallery(outputs)
    image = gallery.save(make_picture(), "job")
    (image.path.parent / "renamed.png").write_bytes(export(gallery.png(image.id), "jpeg"))
    gallery.delete([image.id])
    gallery.refresh()
    assert gallery.search(ImageQuery()).total == 0
