import multiprocessing
import sqlite3
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import SavedImage
from pipeline.gallery.files import Stamp
from pipeline.gallery.index import Index, Row
from pipeline.gallery.query import ImageQuery
from pipeline.gallery.tables import VERSION
from tests.gallery.pictures import make_recipe

SPAWN = multiprocessing.get_context("spawn")


STAMP = Stamp(1000, 1_700_000_000_123_456_789)


def saved(outputs: Path, number: int, job_id: str = "job-1", **changes: Any) -> Row:
    recipe = make_recipe(seed=number, **changes)
    recipe = recipe.model_copy(update={"created_at": recipe.created_at + timedelta(seconds=number)})
    image = SavedImage(
        id=f"{number:016x}",
        job_id=job_id,
        index=number,
        path=outputs / "demo" / f"{number}.png",
        recipe=recipe,
        created_at=recipe.created_at,
    )
    return Row(image, STAMP)


def changed(row: Row, **changes: Any) -> Row:
    return Row(row.image.model_copy(update=changes), row.stamp)


def numbers(rows: list[Row]) -> list[int]:
    return [row.image.index for row in rows]


def found(index: Index, **wanted: Any) -> list[int]:
    """The numbers of the pictures that a query finds; counting must find as many."""
    query = ImageQuery(**wanted)
    rows = index.search(query, 1000, 0)
    assert index.count(query) == len(rows)
    return numbers(rows)


def add_many(outputs: Path, start: int, go) -> None:
    go.wait()
    index = Index(outputs, outputs / "studio.db")
    for number in range(start, start + 25):
        index.put([saved(outputs, number)])
    index.close()


@pytest.fixture
def berlin(monkeypatch):
    """This machine's clock shows the time of Berlin, in winter an hour ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def index(tmp_path):
    index = Index(tmp_path, tmp_path / ".darkroom" / "studio.db")
    yield index
    index.close()


def test_a_picture_comes_back_as_it_was_put(index, tmp_path):
    row = saved(tmp_path, 3)
    index.put([row])
    assert index.get(row.image.id) == row


def test_an_unknown_id_gives_none(index):
    assert index.get("' OR 1=1 --") is None


def test_pages_are_newest_first_and_do_not_overlap(index, tmp_path):
    index.put(saved(tmp_path, number) for number in (2, 0, 4, 1, 3))
    pages = [numbers(index.search(ImageQuery(), 2, offset)) for offset in (0, 2, 4, 6)]
    assert pages == [[4, 3], [2, 1], [0], []]


def test_a_job_has_its_pictures_in_their_order_without_the_deleted(index, tmp_path):
    deleted = changed(saved(tmp_path, 3), deleted=True)
    index.put([saved(tmp_path, 1), saved(tmp_path, 0), saved(tmp_path, 2, job_id="other"), deleted])
    assert numbers(index.of_job("job-1")) == [0, 1]


def test_putting_a_picture_again_moves_it(index, tmp_path):
    row = saved(tmp_path, 1)
    moved = changed(row, path=tmp_path / "best" / "1.png")
    index.put([row])
    index.put([moved])
    assert index.search(ImageQuery(), 10, 0) == [moved]


def test_removed_paths_are_forgotten(index, tmp_path):
    first, second = saved(tmp_path, 1), saved(tmp_path, 2)
    index.put([first, second])
    index.remove([first.path])
    assert index.stamps() == {str(second.path): STAMP}


# -- searching


def test_every_word_must_occur_in_prompt_negative_prompt_or_file_name(index, tmp_path):
    index.put(
        [
            saved(tmp_path, 1, prompt="a red house", negative_prompt="fog"),
            saved(tmp_path, 2, prompt="a blue house", negative_prompt=""),
        ]
    )
    assert found(index, text="house") == [2, 1]
    assert found(index, text="  HOUSE \n red ") == [1]
    assert found(index, text="fog house") == [1]
    assert found(index, text="2.png") == [2]
    assert found(index, text="house boat") == []
    assert found(index, text=" ") == [2, 1]


@pytest.mark.parametrize("text", ["%", "_", "100%", "a_b", "\\", "'", '"', "*", "[a]", "\x00"])
def test_no_character_is_a_wildcard(index, tmp_path, text):
    index.put([saved(tmp_path, 1, prompt="nothing of it"), saved(tmp_path, 2, prompt=f"here {text} is")])
    assert found(index, text=text) == [2]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("eine STRASSE", "straße"),
        ("Ein Fluß", "FLUSS"),
        ("ΟΔΟΣ", "οδός".replace("ό", "ο")),
        ("cafe\u0301", "café"),
        ("caf\u00e9", "CAFE\u0301"),
        ("ＦＵＬＬ width", "full"),
        ("赤い家と海", "家と"),
        ("ein 🐈 schläft", "🐈"),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_case_and_encoding_do_not_matter_in_any_language(index, tmp_path, prompt, text):
    index.put([saved(tmp_path, 1, prompt=prompt)])
    assert found(index, text=text) == [1]


def test_model_and_size_narrow_the_choice(index, tmp_path):
    index.put(
        [
            saved(tmp_path, 1, model="a/b", width=512, height=512),
            saved(tmp_path, 2, model="a/b", width=768, height=512),
            saved(tmp_path, 3, model="a", width=768, height=512),
        ]
    )
    assert found(index, model="a/b") == [2, 1]
    assert found(index, width=768) == [3, 2]
    assert found(index, width=768, height=512, model="a") == [3]
    assert found(index, model="") == []


def test_first_and_last_day_are_days_of_this_machine(index, tmp_path, berlin):
    evening, midnight = (datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC), datetime(2026, 11, 20, 23, 0, tzinfo=UTC))
    index.put(changed(saved(tmp_path, number), created_at=moment) for number, moment in enumerate((evening, midnight)))
    assert found(index, since=date(2026, 11, 21)) == [1]
    assert found(index, until=date(2026, 11, 20)) == [0]
    assert found(index, since=date(2026, 11, 20), until=date(2026, 11, 21)) == [1, 0]


@pytest.mark.parametrize("ends", [{"since": date.min}, {"until": date.max}, {"since": date.min, "until": date.max}])
def test_the_ends_of_the_calendar_are_no_limit(index, tmp_path, ends):
    index.put([saved(tmp_path, 1)])
    assert found(index, **ends) == [1]


def test_deleted_pictures_are_found_only_when_they_are_wanted(index, tmp_path):
    index.put([saved(tmp_path, 1), changed(saved(tmp_path, 2), deleted=True)])
    assert found(index) == [1]
    assert found(index, deleted=True) == [2]
    assert index.get(f"{2:016x}").image.deleted


def test_facets_count_models_and_sizes_most_first(index, tmp_path):
    index.put(
        [
            saved(tmp_path, 1, model="b"),
            saved(tmp_path, 2, model="b", width=64),
            saved(tmp_path, 3, model="a", width=64),
            saved(tmp_path, 4, model="c", width=32),
            changed(saved(tmp_path, 5, model="z"), deleted=True),
        ]
    )
    facets = index.facets()
    assert facets.models == (("b", 2), ("a", 1), ("c", 1))
    assert facets.sizes == ((64, 8, 2), (16, 8, 1), (32, 8, 1))
    assert (facets.total, facets.deleted) == (4, 1)


# -- marks


def test_marks_are_given_one_by_one_and_searched(index, tmp_path):
    index.put(saved(tmp_path, number) for number in (1, 2, 3))
    index.mark(f"{1:016x}", True, None)
    index.mark(f"{1:016x}", None, 4)
    index.mark(f"{2:016x}", False, 2)
    image = index.get(f"{1:016x}").image
    assert (image.favourite, image.rating) == (True, 4)
    assert found(index, favourite=True) == [1]
    assert found(index, min_rating=2) == [2, 1]
    assert found(index, min_rating=3, favourite=True) == [1]


def test_marks_survive_the_row_until_they_are_forgotten(index, tmp_path):
    row = saved(tmp_path, 1)
    index.put([row])
    index.mark(row.image.id, True, 5)
    index.remove([row.path])
    index.put([row])
    assert index.get(row.image.id).image.rating == 5
    index.forget_marks([row.image.id])
    assert index.get(row.image.id) == row


# -- the file


def test_the_outputs_folder_may_move_with_its_index(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    index = Index(old, old / "studio.db")
    index.put([saved(old, 1)])
    index.close()
    old.rename(new)
    index = Index(new, new / "studio.db")
    assert index.search(ImageQuery(), 1, 0)[0].path == new / "demo" / "1.png"
    index.close()


@pytest.mark.parametrize("version", [0, 1, VERSION + 1])
def test_a_table_of_another_version_is_replaced_and_other_tables_stay(tmp_path, version):
    database = tmp_path / "studio.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE images (old TEXT)")
        connection.execute("CREATE TABLE jobs (id TEXT)")
        connection.execute("INSERT INTO jobs VALUES ('kept')")
        connection.execute("CREATE TABLE marks (id TEXT PRIMARY KEY, favourite INTEGER, rating INTEGER)")
        connection.execute(f"INSERT INTO marks VALUES ('{1:016x}', 0, 3)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    index = Index(tmp_path, database)
    index.put([saved(tmp_path, 1)])
    assert found(index, min_rating=3) == [1]
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
                index.search(ImageQuery(), 5, 0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start * 20,)) for start in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.count(ImageQuery()) == 100


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
    assert index.count(ImageQuery()) == 100
    index.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    database = tmp_path / "studio.db"
    database.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Index(tmp_path, database)


def test_what_pictures_were_made_from_is_told_with_what_comes_before_it_in_a_chain(tmp_path: Path):
    a, b, c, d = (f"{letter * 64}-64x48" for letter in "abcd")
    index = Index(tmp_path, None)
    index.put(
        [
            saved(tmp_path, 1),
            saved(tmp_path, 2, prompt='"image":"', image=a, mask=b, origin=make_recipe(image=c)),
            changed(saved(tmp_path, 3, image=d), deleted=True),
        ]
    )
    assert index.input_ids() == {a, b, c, d}
