import multiprocessing
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.events import SavedImage
from pipeline.gallery.index import VERSION, Index
from tests.gallery.pictures import make_recipe

SPAWN = multiprocessing.get_context("spawn")


def saved(outputs: Path, number: int, job_id: str = "job-1") -> SavedImage:
    recipe = make_recipe(seed=number)
    recipe = recipe.model_copy(update={"created_at": recipe.created_at + timedelta(seconds=number)})
    return SavedImage(
        id=f"{number:016x}",
        job_id=job_id,
        index=number,
        path=outputs / "demo" / f"{number}.png",
        recipe=recipe,
        created_at=recipe.created_at,
    )


def add_many(outputs: Path, start: int, go) -> None:
    go.wait()
    index = Index(outputs, outputs / "studio.db")
    for number in range(start, start + 25):
        index.put([saved(outputs, number)])
    index.close()


@pytest.fixture
def index(tmp_path):
    index = Index(tmp_path, tmp_path / ".darkroom" / "studio.db")
    yield index
    index.close()


def test_a_picture_comes_back_as_it_was_put(index, tmp_path):
    image = saved(tmp_path, 3)
    index.put([image])
    assert index.get(image.id) == image


def test_an_unknown_id_gives_none(index):
    assert index.get("' OR 1=1 --") is None


def test_pages_are_newest_first_and_do_not_overlap(index, tmp_path):
    index.put(saved(tmp_path, number) for number in (2, 0, 4, 1, 3))
    assert [image.index for image in index.newest(2, 0)] == [4, 3]
    assert [image.index for image in index.newest(2, 2)] == [2, 1]
    assert [image.index for image in index.newest(2, 4)] == [0]


def test_a_job_has_its_pictures_in_their_order(index, tmp_path):
    index.put([saved(tmp_path, 1), saved(tmp_path, 0), saved(tmp_path, 2, job_id="other")])
    assert [image.index for image in index.of_job("job-1")] == [0, 1]


def test_putting_a_picture_again_moves_it(index, tmp_path):
    image = saved(tmp_path, 1)
    moved = image.model_copy(update={"path": tmp_path / "best" / "1.png"})
    index.put([image])
    index.put([moved])
    assert index.newest(10, 0) == [moved]


def test_removed_paths_are_forgotten(index, tmp_path):
    first, second = saved(tmp_path, 1), saved(tmp_path, 2)
    index.put([first, second])
    index.remove([first.path])
    assert index.paths() == {second.path}


def test_the_outputs_folder_may_move_with_its_index(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    index = Index(old, old / "studio.db")
    index.put([saved(old, 1)])
    index.close()
    old.rename(new)
    index = Index(new, new / "studio.db")
    assert index.newest(1, 0)[0].path == new / "demo" / "1.png"
    index.close()


def test_a_table_of_another_version_is_replaced_and_other_tables_stay(tmp_path):
    database = tmp_path / "studio.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE images (old TEXT)")
        connection.execute("CREATE TABLE jobs (id TEXT)")
        connection.execute("INSERT INTO jobs VALUES ('kept')")
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    index = Index(tmp_path, database)
    index.put([saved(tmp_path, 1)])
    index.close()
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT id FROM jobs").fetchall() == [("kept",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_threads_share_one_index(index, tmp_path):
    failures = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 20):
                index.put([saved(tmp_path, number)])
                assert index.get(f"{number:016x}") is not None
                index.newest(5, 0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start * 20,)) for start in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(index.newest(1000, 0)) == 100


def test_processes_that_open_one_index_at_the_same_moment_wait_for_each_other(tmp_path):
    go = SPAWN.Event()
    children = [SPAWN.Process(target=add_many, args=(tmp_path, start * 25, go)) for start in range(4)]
    for child in children:
        child.start()
    go.set()
    for child in children:
        child.join()
        assert child.exitcode == 0
    index = Index(tmp_path, tmp_path / "studio.db")
    assert len(index.newest(1000, 0)) == 100
    index.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    database = tmp_path / "studio.db"
    database.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Index(tmp_path, database)
