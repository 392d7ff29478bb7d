import multiprocessing
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from pipeline.errors import NotFound, OutputUnwritable
from pipeline.gallery import files, read_recipe
from pipeline.gallery.index import Index
from pipeline.gallery.query import ImageQuery
from pipeline.gallery.trash import LIFETIME, Trash
from tests.gallery.pictures import at, make_picture, open_gallery

SPAWN = multiprocessing.get_context("spawn")
DELETED = ImageQuery(deleted=True)


def delete_all(outputs: Path, image_ids: list[str], go, answer) -> None:
    gallery = open_gallery(outputs)
    go.wait()
    answer.put(gallery.delete(image_ids))
    gallery.close()


def snapshot(outputs: Path) -> dict[str, bytes]:
    """Every picture and text in the outputs folder, outside of our own."""
    shown = [path for path in outputs.rglob("*") if path.is_file() and ".darkroom" not in path.parts]
    return {path.relative_to(outputs).as_posix(): path.read_bytes() for path in shown}


@pytest.fixture
def trash(outputs):
    return Trash(outputs)


# -- deleting and bringing back


def test_a_deleted_picture_is_listed_no_more_but_its_file_and_thumbnail_still_answer(gallery):
    image, other = (gallery.save(at(second), "job-1") for second in range(2))
    png = gallery.png(image.id)
    assert gallery.delete([image.id]) == (image.id,)
    assert gallery.recent() == gallery.of_job("job-1") == [other]
    assert not image.path.exists()
    assert not image.path.with_suffix(".txt").exists()
    assert gallery.find(image.id).deleted
    assert gallery.png(image.id) == png
    assert gallery.thumbnail(image.id)[8:12] == b"WEBP"
    assert (gallery.facets().total, gallery.facets().deleted) == (1, 1)
    assert [found.id for found in gallery.search(DELETED).images] == [image.id]


def test_bringing_back_leaves_everything_as_it_was(gallery, outputs):
    image, _ = (gallery.save(at(second), "job-1") for second in range(2))
    marked = gallery.mark(image.id, favourite=True, rating=2)
    before = snapshot(outputs)
    gallery.delete([image.id])
    assert gallery.restore([image.id]) == (image.id,)
    assert snapshot(outputs) == before
    assert gallery.find(image.id) == marked
    assert gallery.search(DELETED).total == 0
    assert list((outputs / ".darkroom" / "trash").iterdir()) == []


def test_many_are_deleted_and_brought_back_at_once_each_counted_once(gallery):
    images = [gallery.save(at(second), "job-1") for second in range(5)]
    ids = [image.id for image in images]
    assert gallery.delete([*ids[:3], ids[0], "nobody", "../../etc"]) == tuple(ids[:3])
    assert gallery.delete(ids[:4]) == (ids[3],)
    assert gallery.restore([*ids, ids[0], "nobody", "../../etc"]) == tuple(ids[:4])
    assert gallery.recent() == images[::-1]


def test_a_picture_comes_back_under_another_name_where_its_own_was_taken(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([image.id])
    newer = gallery.save(make_picture(), "job-2")
    assert newer.path == image.path
    gallery.restore([image.id])
    back = gallery.find(image.id)
    assert back.path.stem == f"{image.path.stem}-2"
    assert back.path.with_suffix(".txt").is_file()
    assert read_recipe(back.path) == image.recipe
    assert gallery.find(newer.id) == newer
    assert len(snapshot(outputs)) == 4


def test_a_picture_comes_back_although_its_folder_is_gone(gallery):
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([image.id])
    image.path.parent.rmdir()
    gallery.restore([image.id])
    assert gallery.find(image.id) == image


def test_a_picture_comes_back_after_a_restart(outputs):
    gallery = open_gallery(outputs)
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([image.id])
    gallery.close()
    gallery = open_gallery(outputs)
    assert gallery.recent() == []
    gallery.restore([image.id])
    assert gallery.recent() == [image]
    gallery.close()


def test_a_picture_in_a_subfolder_comes_back_there(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    target = outputs / "best" / "of all" / "mine.png"
    target.parent.mkdir(parents=True)
    image.path.rename(target)
    gallery.delete([image.id])
    assert not target.exists()
    gallery.restore([image.id])
    assert gallery.find(image.id).path == target


def test_a_picture_whose_text_is_gone_can_be_deleted_and_brought_back(gallery):
    image = gallery.save(make_picture(), "job-1")
    image.path.with_suffix(".txt").unlink()
    gallery.delete([image.id])
    gallery.restore([image.id])
    assert gallery.find(image.id) == image


def test_a_copy_is_shown_when_the_first_is_deleted_and_hidden_when_it_comes_back(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    copy = outputs / "copies" / "one.png"
    copy.parent.mkdir()
    shutil.copy(image.path, copy)
    gallery.refresh()
    gallery.delete([image.id])
    gallery.refresh()
    assert [found.path for found in gallery.recent()] == [copy]
    assert gallery.delete([image.id]) == (image.id,)
    assert gallery.recent() == []
    assert gallery.restore([image.id]) == (image.id,)
    assert gallery.search(ImageQuery()).total == 1
    assert {copy, image.path} <= {outputs / name for name in snapshot(outputs)}


def test_a_kept_picture_can_be_deleted_and_brought_back(blocked):
    image = blocked.save(make_picture(), "job-1")
    assert blocked.delete([image.id]) == (image.id,)
    assert blocked.recent() == []
    assert blocked.search(DELETED).images[0].id == image.id
    assert blocked.facets().deleted == 1
    assert blocked.retry_unsaved() == []
    assert blocked.restore([image.id]) == (image.id,)
    assert blocked.recent() == [image]
    blocked.delete([image.id])
    blocked.empty_trash()
    with pytest.raises(NotFound):
        blocked.find(image.id)


def test_a_picture_that_vanished_outside_is_left_out(gallery):
    image, other = (gallery.save(at(second), "job-1") for second in range(2))
    image.path.unlink()
    assert gallery.delete([image.id, other.id]) == (other.id,)


# -- several at once


def test_two_processes_deleting_the_same_pictures_delete_each_once(gallery, outputs):
    ids = [gallery.save(at(second), "job-1").id for second in range(20)]
    go, answer = SPAWN.Event(), SPAWN.Queue()
    children = [SPAWN.Process(target=delete_all, args=(outputs, order, go, answer)) for order in (ids, ids[::-1])]
    for child in children:
        child.start()
    go.set()
    deleted = [image_id for _ in children for image_id in answer.get(timeout=60)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert sorted(deleted) == sorted(ids)
    gallery.refresh()
    assert gallery.search(DELETED).total == 20
    assert sorted(gallery.restore(ids)) == sorted(ids)
    assert len(gallery.recent(limit=100)) == 20


def test_one_looks_while_another_deletes_and_brings_back(gallery):
    image = gallery.save(make_picture(), "job-1")
    failures, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                gallery.refresh()
                gallery.recent()
                gallery.thumbnail(image.id)
            except NotFound:
                continue
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert gallery.delete([image.id]) == (image.id,)
        assert gallery.restore([image.id]) == (image.id,)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    gallery.refresh()
    assert gallery.recent() == [image]


# -- when the disk refuses


def test_all_or_nothing_is_deleted_when_the_index_takes_nothing(gallery, outputs, monkeypatch):
    images = [gallery.save(at(second), "job-1") for second in range(3)]
    before, put, calls = snapshot(outputs), Index.put, []

    def refuse_the_third(self, rows):
        calls.append(rows)
        if len(calls) == 3:
            raise sqlite3.OperationalError("database or disk is full")
        put(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Index, "put", refuse_the_third)
        with pytest.raises(OutputUnwritable, match="cannot be deleted: database or disk is full"):
            gallery.delete([image.id for image in images])
    assert snapshot(outputs) == before
    assert gallery.recent() == images[::-1]
    assert gallery.search(DELETED).total == 0


def test_all_or_nothing_is_deleted_when_the_trash_takes_nothing(gallery, outputs, monkeypatch):
    images = [gallery.save(at(second), "job-1") for second in range(2)]
    before, move, calls = snapshot(outputs), files.move_picture, []

    def refuse_the_second(path, folder):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return move(path, folder)

    with monkeypatch.context() as patch:
        patch.setattr(files, "move_picture", refuse_the_second)
        with pytest.raises(OutputUnwritable, match="No space left on device"):
            gallery.delete([image.id for image in images])
    assert snapshot(outputs) == before
    assert gallery.recent() == images[::-1]


def test_deleting_works_on_a_full_disk_and_emptying_makes_room(small_disk):
    gallery = open_gallery(small_disk / "outputs")
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([gallery.save(at(1), "job-1").id])
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(2**20))
    try:
        gallery.delete([image.id])
    except OutputUnwritable:
        assert gallery.recent() == [image]
    else:
        assert gallery.find(image.id).deleted
    assert gallery.empty_trash() > 0
    gallery.close()


def test_a_place_that_is_blocked_keeps_the_picture_in_the_trash(gallery):
    image = gallery.save(make_picture(), "job-1")
    gallery.delete([image.id])
    image.path.parent.rmdir()
    image.path.parent.write_text("in the way")
    with pytest.raises(OutputUnwritable, match="cannot be restored"):
        gallery.restore([image.id])
    assert gallery.find(image.id).deleted
    image.path.parent.unlink()
    assert gallery.restore([image.id]) == (image.id,)


# -- removing for good


def test_emptying_tells_what_it_freed_and_leaves_no_trace(gallery, outputs):
    image, other = (gallery.save(at(second), "job-1") for second in range(2))
    size = image.path.stat().st_size + image.path.with_suffix(".txt").stat().st_size
    gallery.mark(image.id, rating=5)
    gallery.thumbnail(image.id)
    gallery.thumbnail(other.id)
    gallery.delete([image.id])
    assert gallery.empty_trash() == size
    assert gallery.empty_trash() == 0
    with pytest.raises(NotFound):
        gallery.find(image.id)
    assert gallery.restore([image.id]) == ()
    assert gallery.search(DELETED).total == gallery.facets().deleted == 0
    assert all(other.id in path.name for path in (outputs / ".darkroom" / "thumbnails").iterdir())
    assert gallery.recent() == [other]


def test_what_was_deleted_long_ago_is_removed_at_the_next_start(outputs):
    gallery = open_gallery(outputs)
    old, new = (gallery.save(at(second), "job-1") for second in range(2))
    gallery.mark(old.id, rating=5)
    gallery.delete([old.id, new.id])
    gallery.close()
    long_ago = (outputs / ".darkroom" / "trash" / old.id).stat().st_mtime - LIFETIME - 1
    os.utime(outputs / ".darkroom" / "trash" / old.id, (long_ago, long_ago))
    gallery = open_gallery(outputs)
    assert [image.id for image in gallery.search(DELETED).images] == [new.id]
    assert gallery.restore([old.id, new.id]) == (new.id,)
    gallery.close()


def test_what_is_not_ours_in_the_trash_is_left_alone(gallery, trash, outputs):
    stranger = trash.folder / "notes" / "mine.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("a note")
    assert gallery.empty_trash() == 0
    assert stranger.exists()


@pytest.mark.parametrize("image_id", ["..", "", ".", "../../outputs", "0123456789ABCDEF", "0123456789abcdef/.."])
def test_an_id_that_we_never_give_out_reaches_no_file(gallery, trash, outputs, image_id):
    gallery.save(make_picture(), "job-1")
    before = snapshot(outputs)
    assert trash.take_back(image_id) == []
    assert snapshot(outputs) == before
