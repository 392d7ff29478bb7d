import multiprocessing
import os
import resource
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, NotFound, OutputUnwritable
from pipeline.gallery import files, read_recipe
from pipeline.gallery.index import Index
from pipeline.gallery.query import ImageQuery
from tests.gallery.pictures import at, make_picture, open_gallery

SPAWN = multiprocessing.get_context("spawn")


def save_many(outputs: Path, job_id: str, go) -> None:
    gallery = open_gallery(outputs)
    go.wait()
    for index in range(20):
        assert not gallery.save(make_picture(index), job_id).unsaved
    gallery.close()


def save_while_no_file_may_grow(outputs: Path, answer) -> None:
    gallery = open_gallery(outputs)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    kept = gallery.save(make_picture(), "job-1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    [saved] = gallery.retry_unsaved()
    answer.put((kept, saved, gallery.find(kept.id), gallery.retry_unsaved()))
    gallery.close()


def spawn(target, *arguments) -> int | None:
    child = SPAWN.Process(target=target, args=arguments)
    child.start()
    child.join()
    return child.exitcode


# -- saving and finding


def test_a_saved_picture_is_found_with_everything_about_it(gallery, outputs):
    picture = make_picture(index=1)
    image = gallery.save(picture, "job-1")
    assert (image.job_id, image.index, image.seed, image.recipe) == ("job-1", 1, 42, picture.recipe)
    assert image.path.parent.parent == outputs
    assert gallery.find(image.id) == image
    assert gallery.png(image.id) == image.path.read_bytes()
    assert read_recipe(image.path) == picture.recipe
    assert "Steps: 28, Sampler: Euler" in image.path.with_suffix(".txt").read_text(encoding="utf-8")


def test_a_saved_picture_opens_with_its_pixels(gallery):
    picture = make_picture()
    assert gallery.save(picture, "job-1").open().tobytes() == picture.rgb


def test_ids_are_never_the_same_even_for_the_same_picture(gallery):
    assert gallery.save(make_picture(), "job-1").id != gallery.save(make_picture(), "job-1").id


def test_a_picture_that_is_moved_while_it_is_asked_for_is_read_where_it_went(gallery, monkeypatch):
    image = gallery.save(make_picture(), "job-1")
    png, find = image.path.read_bytes(), gallery.find

    def find_and_lose(image_id):
        monkeypatch.setattr(gallery, "find", find)
        found = find(image_id)
        gallery.delete([image_id])
        return found

    monkeypatch.setattr(gallery, "find", find_and_lose)
    assert gallery.png(image.id) == png


@pytest.mark.parametrize("image_id", ["nothing", "../../etc/passwd", "' OR 1=1 --", ""])
def test_an_unknown_id_is_not_found(gallery, image_id):
    for ask in (
        gallery.find,
        gallery.png,
        gallery.thumbnail,
        gallery.mark,
        lambda image_id: gallery.archive([image_id]),
    ):
        with pytest.raises(NotFound, match="There is no image"):
            ask(image_id)


def test_a_job_has_its_pictures_by_index(gallery):
    for index in (1, 0):
        gallery.save(make_picture(index), "job-1")
    gallery.save(make_picture(), "job-2")
    assert [image.index for image in gallery.of_job("job-1")] == [0, 1]


def test_recent_pictures_come_newest_first_in_pages(gallery):
    for second in (2, 0, 4, 1, 3):
        gallery.save(at(second, seed=second), "job-1")
    assert [image.seed for image in gallery.recent(3)] == [4, 3, 2]
    assert [image.seed for image in gallery.recent(3, offset=3)] == [1, 0]


def test_two_processes_saving_at_once_lose_and_mix_nothing(outputs):
    go = SPAWN.Event()
    children = [SPAWN.Process(target=save_many, args=(outputs, job, go)) for job in ("job-a", "job-b")]
    for child in children:
        child.start()
    go.set()
    for child in children:
        child.join()
        assert child.exitcode == 0
    gallery = open_gallery(outputs)
    images = gallery.recent(limit=100)
    assert len({image.path for image in images}) == len(images) == 40
    assert [image.index for image in gallery.of_job("job-a")] == list(range(20))
    assert all(read_recipe(image.path) == image.recipe for image in images)
    gallery.close()


def test_threads_save_and_read_at_once(gallery):
    failures = []

    def work(number: int) -> None:
        try:
            for index in range(5):
                image = gallery.save(make_picture(index, seed=number), f"job-{number}")
                assert gallery.find(image.id) == image
                gallery.recent()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(gallery.recent(limit=100)) == 30


# -- the index and the disk


def test_leftovers_of_killed_processes_are_removed_at_the_start(outputs):
    left = outputs / "demo" / ".20261121_120000_seed1.png.part"
    left.parent.mkdir(parents=True)
    left.touch()
    os.utime(left, (0, 0))
    open_gallery(outputs).close()
    assert not left.exists()


def test_an_index_that_is_damaged_is_replaced_by_one_in_memory(outputs):
    gallery = open_gallery(outputs)
    image = gallery.save(make_picture(), "job-1")
    gallery.close()
    for part in (outputs / ".darkroom").glob("studio.db*"):
        part.write_bytes(b"no database" * 1000)
    gallery = open_gallery(outputs)
    assert gallery.recent() == [image]
    gallery.close()


def test_a_picture_that_cannot_be_indexed_is_still_shown(gallery, monkeypatch):
    def refuse(self, images):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "put", refuse)
        image = gallery.save(make_picture(), "job-1")
    assert (image.unsaved, image.path.is_file()) == ("", True)
    assert gallery.find(image.id) == image
    assert gallery.recent() == gallery.of_job("job-1") == [image]
    assert gallery.retry_unsaved() == [image]
    assert gallery.recent() == [image]


# -- when the disk refuses


def test_a_blocked_outputs_folder_is_reported_before_the_work(blocked, outputs):
    with pytest.raises(OutputUnwritable, match=str(outputs)) as caught:
        blocked.check_writable()
    assert "DARKROOM_OUTPUTS" in caught.value.info.remedy


def test_a_writable_folder_passes_and_nothing_is_left_in_it(gallery, outputs):
    before = sorted(outputs.rglob("*"))
    gallery.check_writable()
    assert sorted(outputs.rglob("*")) == before


def test_a_disk_with_too_little_room_is_reported_before_the_work(gallery):
    with pytest.raises(OutputUnwritable, match="almost full"):
        gallery.check_writable(bytes_needed=2**62)


def test_a_picture_that_the_disk_refuses_is_kept_in_memory_and_says_why(blocked):
    picture = make_picture()
    image = blocked.save(picture, "job-1")
    assert image.path is None
    assert "is kept in memory only" in image.unsaved
    assert "Download it now" in image.unsaved
    assert read_recipe(blocked.png(image.id)) == picture.recipe
    assert blocked.recent() == blocked.of_job("job-1") == [blocked.find(image.id)] == [image]
    assert blocked.thumbnail(image.id)[8:12] == b"WEBP"


def test_kept_pictures_are_saved_together_with_the_next_one(blocked, outputs):
    first = blocked.save(at(0), "job-1")
    outputs.unlink()
    second = blocked.save(at(1), "job-1")
    assert [image.id for image in blocked.recent()] == [second.id, first.id]
    assert blocked.find(first.id).path.is_file()
    assert blocked.find(first.id).unsaved == ""


def test_pages_mix_kept_and_saved_pictures(gallery, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    for second in range(6):
        with monkeypatch.context() as patch:
            if second in {1, 4, 5}:
                patch.setattr(files, "write_picture", refuse)
                patch.setattr(gallery, "retry_unsaved", list)
            else:
                patch.setattr(gallery, "retry_unsaved", list)
            gallery.save(at(second, seed=second), "job-1")
    pages = [gallery.recent(limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[image.seed for image in page] for page in pages] == [[5, 4], [3, 2], [1, 0], []]


def test_a_disk_that_fills_up_keeps_the_picture_until_it_has_room_again(outputs):
    answer = SPAWN.Queue()
    assert spawn(save_while_no_file_may_grow, outputs, answer) == 0
    kept, saved, found, again = answer.get(timeout=30)
    assert "File too large" in kept.unsaved
    assert saved.id == kept.id
    assert saved == found
    assert read_recipe(saved.path) == kept.recipe
    assert again == []


def test_a_full_disk_is_reported_and_pictures_are_saved_once_there_is_room(small_disk):
    gallery = open_gallery(small_disk / "outputs")
    with pytest.raises(OutputUnwritable, match="almost full"):
        gallery.check_writable()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(2**20))
    image = gallery.save(make_picture(), "job-1")
    assert "No space left on device" in image.unsaved
    assert gallery.recent() == [image]
    ballast.unlink()
    [saved] = gallery.retry_unsaved()
    assert gallery.recent() == [saved]
    gallery.close()


def test_a_read_only_disk_still_shows_its_pictures(small_disk):
    gallery = open_gallery(small_disk / "outputs")
    image = gallery.save(make_picture(), "job-1")
    gallery.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    gallery = open_gallery(small_disk / "outputs")
    assert gallery.recent() == [image]
    assert gallery.thumbnail(image.id)
    with pytest.raises(OutputUnwritable, match="Read-only file system"):
        gallery.check_writable()
    for change in (lambda: gallery.delete([image.id]), lambda: gallery.mark(image.id, rating=1)):
        with pytest.raises(OutputUnwritable, match="cannot be"):
            change()
    assert gallery.recent() == [image]
    assert "Read-only file system" in gallery.save(at(1), "job-1").unsaved
    gallery.close()


# -- searching and marking


def test_a_search_finds_saved_and_kept_pictures_alike(gallery, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    saved = gallery.save(at(0, prompt="a red Boat"), "job-1")
    gallery.save(at(1, prompt="a house"), "job-1")
    monkeypatch.setattr(files, "write_picture", refuse)
    kept = gallery.save(at(2, prompt="a blue boat", width=16, model="other"), "job-1")
    gallery.save(at(3, prompt="a garden"), "job-1")
    page = gallery.search(ImageQuery(text="BOAT"))
    assert (page.images, page.total) == ((kept, saved), 2)
    assert gallery.search(ImageQuery(text="boat", model="other")).images == (kept,)
    assert gallery.search(ImageQuery(), limit=1, offset=1).images == (kept,)
    assert gallery.search(ImageQuery(), limit=1, offset=1).total == 4
    facets = gallery.facets()
    assert facets.models == (("stabilityai/stable-diffusion-3.5-medium", 3), ("other", 1))
    assert (facets.sizes, facets.total, facets.deleted) == (((16, 8, 4),), 4, 0)


def test_a_mark_is_there_for_everybody_and_after_a_restart(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    assert gallery.mark(image.id, favourite=True).favourite
    marked = gallery.mark(image.id, rating=3)
    assert (marked.favourite, marked.rating) == (True, 3)
    again = open_gallery(outputs)
    assert again.find(image.id) == again.of_job("job-1")[0] == marked
    assert again.search(ImageQuery(favourite=True, min_rating=3)).images == (marked,)
    assert not again.mark(image.id, favourite=False, rating=0).favourite
    assert gallery.find(image.id) == image
    again.close()


@pytest.mark.parametrize("rating", [-1, 6])
def test_a_picture_has_at_most_five_stars(gallery, rating):
    image = gallery.save(make_picture(), "job-1")
    with pytest.raises(InvalidRequest, match="stars"):
        gallery.mark(image.id, rating=rating)
    assert gallery.find(image.id).rating == 0


def test_a_mark_on_a_kept_picture_stays_when_it_is_saved(gallery, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_picture", refuse)
        image = gallery.save(make_picture(), "job-1")
    assert gallery.mark(image.id, favourite=True).favourite
    assert gallery.search(ImageQuery(favourite=True)).total == 1
    [saved] = gallery.retry_unsaved()
    assert saved.favourite
    assert gallery.find(image.id) == saved


def test_marks_are_refused_with_a_sentence_while_the_index_is_in_memory(blocked):
    image = blocked.save(make_picture(), "job-1")
    with pytest.raises(OutputUnwritable, match="The mark cannot be kept: the index"):
        blocked.mark(image.id, favourite=True)
    assert not blocked.find(image.id).favourite


def test_two_processes_see_each_others_marks_and_deletions_at_once(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    other = open_gallery(outputs)
    other.mark(image.id, rating=2)
    assert gallery.find(image.id).rating == 2
    other.delete([image.id])
    assert gallery.recent() == []
    assert gallery.find(image.id).deleted
    gallery.restore([image.id])
    assert other.recent() == [gallery.find(image.id)]
    other.close()
