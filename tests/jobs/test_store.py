"""Jobs outlast the process, and a full disk does not stop the one that runs."""

import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ErrorInfo, NotFound
from pipeline.jobs.state import Status
from pipeline.jobs.store import JobStore
from pipeline.request import GenerationRequest

REQUEST = GenerationRequest(prompt="a house", guidance_scale=0.0)


def add(store: JobStore, job_id: str, client: str = "ann", key: str | None = None) -> None:
    store.add(job_id, client, REQUEST, "demo", 7, key)


def test_a_job_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "studio.db")
    add(store, "a")
    store.warn("a", ("mind the gap",))
    error = ErrorInfo(code="worker_died", message="It ended.")
    store.end("a", "failed", error)
    store.close()

    row = JobStore(tmp_path / "studio.db").get("a")
    assert (row.request, row.model, row.seed, row.status) == (REQUEST, "demo", 7, "failed")
    assert (row.warnings, row.error) == (("mind the gap",), error)
    assert row.finished_at is not None


def test_what_was_running_at_a_crash_is_queued_again_in_its_old_place(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "studio.db")
    for job_id in "abcd":
        add(store, job_id)
    store.begin("a")
    store.begin("b")
    store.running("b")
    store.end("c", "finished")

    after = JobStore(tmp_path / "studio.db")
    after.requeue_interrupted()
    assert [(row.id, row.restarted) for row in after.queued()] == [("a", True), ("b", True), ("d", False)]
    assert after.get("b").attempts == 1


def test_an_idempotency_key_belongs_to_one_client() -> None:
    store = JobStore(None)
    add(store, "a", client="ann", key="k")
    add(store, "b", client="ben", key="k")
    found = store.with_key("ann", "k")
    assert found is not None
    assert found.id == "a"
    assert store.with_key("cat", "k") is None
    with pytest.raises(sqlite3.IntegrityError):
        add(store, "c", client="ann", key="k")


def test_the_newest_jobs_come_first_and_can_be_one_clients() -> None:
    store = JobStore(None)
    add(store, "a", client="ann")
    add(store, "b", client="ben")
    add(store, "c", client="ann")
    assert [row.id for row in store.newest(None, 2)] == ["c", "b"]
    assert [row.id for row in store.newest("ann", 9)] == ["c", "a"]


def test_jobs_are_found_and_counted_by_where_they_stand() -> None:
    store = JobStore(None)
    for job_id, client in zip("abcd", ("ann", "ben", "ann", "ann"), strict=True):
        add(store, job_id, client)
    store.end("a", "finished")
    store.end("c", "cancelled")
    ended: tuple[Status, ...] = ("finished", "cancelled")
    assert [row.id for row in store.newest(None, 9, statuses=ended)] == ["c", "a"]
    assert [row.id for row in store.newest(None, 2, offset=1)] == ["c", "b"]
    assert [row.id for row in store.newest("ben", 9, statuses=ended)] == []
    assert (store.count(None), store.count("ann"), store.count("ann", ended), store.count("eve")) == (4, 3, 2, 0)


def test_what_unfinished_jobs_bring_along_is_told() -> None:
    store, names = JobStore(None), [f"{letter * 64}-64x48" for letter in "abc"]
    for name in names:
        request = GenerationRequest(prompt="a house", image=name)
        store.add(name, "ann", request, "demo", 7, None)
    add(store, "of words alone")
    store.begin(names[0])
    store.end(names[1], "failed")
    assert store.input_ids() == {names[0], names[2]}


def test_an_unknown_job_is_not_found() -> None:
    with pytest.raises(NotFound):
        JobStore(None).get("nope")


def test_jobs_wait_in_the_order_of_their_ranks_also_after_a_restart(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "studio.db")
    for job_id in "abc":
        add(store, job_id)
    store.rerank({"c": 1, "a": 2, "b": 3})
    add(store, "d")
    store.close()
    assert [row.id for row in JobStore(tmp_path / "studio.db").queued()] == ["c", "a", "b", "d"]


def test_a_table_from_before_jobs_could_be_moved_is_taken_over(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "studio.db")
    add(store, "a")
    add(store, "b")
    store.close()
    with sqlite3.connect(tmp_path / "studio.db") as old:
        old.execute("ALTER TABLE jobs DROP COLUMN rank")

    after = JobStore(tmp_path / "studio.db")

    assert [(row.id, row.rank) for row in after.queued()] == [("a", 1), ("b", 2)]
    after.rerank({"a": 2, "b": 1})
    assert [row.id for row in after.queued()] == ["b", "a"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipeline.errors import OutputUnwritable
from pipeline.jobs.state import Status
from pipeline.jobs.store import JobStore
from pipeline.request import GenerationRequest

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = Path(sys.argv[1])
store = JobStore(database)
add = lambda job_id: store.add(job_id, "ann", GenerationRequest(prompt="x" * 3000), "demo", 7, None)
add("a")
size = max(path.stat().st_size for path in database.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
store.end("a", "finished")
print(store.get("a").status)
try:
    for number in range(50):
        add(f"b{number}")
except OutputUnwritable as error:
    print("refused:", error.info.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
add("c")
store.warn("c", ())
print(JobStore(database).get("a").status)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a file size limit to act as a full disk")
def test_a_full_disk_refuses_new_jobs_but_keeps_the_state_of_running_ones(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "studio.db")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:3] == ["finished", "refused: output_unwritable", "finished"]
