import io
import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import NotFound, OutputUnwritable
from pipeline.gallery import Gallery, encode_png, files, read_recipe
from pipeline.gallery.index import Index
from tests.gallery.pictures import ORIGIN, make_picture

SPAWN = multiprocessing.get_context("spawn")
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def open_gallery(outputs: Path) -> Gallery:
    return Gallery(outputs, outputs / ".darkroom" / "studio.db")


def at(second: int, **changes):
    """A picture made so many seconds after noon."""
    return make_picture(created_at=START + timedelta(seconds=second), **changes)


def save_many(outputs: Path, job_id: str, go) -> None:
    gallery = open_gallery(outputs)
    go.wait()
    for index in range(20):
        assert not gallery.save(make_picture(index), job_id).unsaved
    gallery.close()


def die_between_file_and_row(outputs: Path) -> None:
    Index.put = lambda self, images: os.kill(os.getpid(), signal.SIGKILL) if list(images) else None
    open_gallery(outputs).save(make_picture(index=2), "job-killed")


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


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "outputs"


@pytest.fixture
def gallery(outputs):
    gallery = open_gallery(outputs)
    yield gallery
    gallery.close()


@pytest.fixture
def blocked(tmp_path):
    """A gallery whose outputs folder cannot be: a file has its place. `tmp_path / "outputs"` as in the others."""
    place = tmp_path / "outputs"
    place.write_text("in the way")
    gallery = open_gallery(place)
    yield gallery
    gallery.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this account may not mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


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


@pytest.mark.parametrize("image_id", ["nothing", "../../etc/passwd", "' OR 1=1 --", ""])
def test_an_unknown_id_is_not_found(gallery, image_id):
    for ask in (gallery.find, gallery.png, gallery.thumbnail, gallery.delete):
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
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        chunks.add_itxt("darkroom", image.info["darkroom"])
        image.save(outputs / "edited.png", pnginfo=chunks)
    gallery.rebuild()
    [first] = gallery.recent()
    gallery.rebuild()
    assert gallery.recent() == [first]
    assert first.id != ORIGIN.id


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


def test_a_kept_picture_can_be_deleted(blocked):
    image = blocked.save(make_picture(), "job-1")
    blocked.delete(image.id)
    with pytest.raises(NotFound):
        blocked.find(image.id)
    assert blocked.retry_unsaved() == []


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
    with pytest.raises(OutputUnwritable, match="cannot be deleted"):
        gallery.delete(image.id)
    assert "Read-only file system" in gallery.save(at(1), "job-1").unsaved
    gallery.close()


# -- thumbnails and deleting


def test_a_thumbnail_is_a_webp_that_fits_and_is_made_once(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    webp = gallery.thumbnail(image.id, side=8)
    with Image.open(io.BytesIO(webp)) as small:
        assert (small.format, small.size) == ("WEBP", (8, 4))
    [cached] = (outputs / ".darkroom" / "thumbnails").iterdir()
    cached.write_bytes(b"from the cache")
    assert gallery.thumbnail(image.id, side=8) == b"from the cache"


def test_a_damaged_picture_has_no_thumbnail_but_a_sentence(gallery):
    image = gallery.save(make_picture(), "job-1")
    image.path.write_bytes(image.path.read_bytes()[:-60])
    with pytest.raises(NotFound, match="is damaged"):
        gallery.thumbnail(image.id)


def test_deleting_removes_picture_text_thumbnail_and_row(gallery, outputs):
    image, other = (gallery.save(at(second), "job-1") for second in range(2))
    gallery.thumbnail(image.id)
    gallery.delete(image.id)
    assert not image.path.exists()
    assert not image.path.with_suffix(".txt").exists()
    assert list((outputs / ".darkroom" / "thumbnails").iterdir()) == []
    assert gallery.recent() == [other]
