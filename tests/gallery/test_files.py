import multiprocessing
import os
import resource
import signal
import threading
from pathlib import Path

import pytest

from pipeline.gallery import files
from tests.gallery.pictures import make_recipe

SPAWN = multiprocessing.get_context("spawn")


def save_many(outputs: Path, mark: bytes, count: int, go) -> None:
    go.wait()
    for _ in range(count):
        files.write_picture(outputs, make_recipe(), mark * 1000, mark.decode())


def die_before_the_rename(outputs: Path) -> None:
    files._write = lambda path, data: os.kill(os.getpid(), signal.SIGKILL)
    files.write_picture(outputs, make_recipe(), b"png", "text")


def limited_write(outputs: Path, answer) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    try:
        files.write_picture(outputs, make_recipe(), bytes(200), "text")
    except OSError as error:
        answer.put(error.strerror)


def run(target, *arguments) -> int | None:
    child = SPAWN.Process(target=target, args=arguments)
    child.start()
    child.join()
    return child.exitcode


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("stabilityai/stable-diffusion-3.5-medium", "stabilityai-stable-diffusion-3.5-medium"),
        ("demo", "demo"),
        ("../../etc/passwd", "etc-passwd"),
        ("/", "model"),
        ("..", "model"),
        ("", "model"),
        (".darkroom", "darkroom"),
        ("C:\\Windows\\x", "C-Windows-x"),
        ("a\x00b\nc", "a-b-c"),
        ("a" * 300, "a" * 100),
        ("日本/語", "model"),
    ],
)
def test_a_model_id_becomes_one_harmless_folder_name(model: str, folder: str):
    assert files.folder_name(model) == folder


def test_a_picture_is_named_by_model_time_and_seed_with_its_text_beside_it(tmp_path):
    recipe = make_recipe()
    path = files.write_picture(tmp_path, recipe, b"png", "text é")
    local = recipe.created_at.astimezone().strftime("%Y%m%d_%H%M%S")
    assert path == tmp_path / "stabilityai-stable-diffusion-3.5-medium" / f"{local}_seed42.png"
    assert path.read_bytes() == b"png"
    assert path.with_suffix(".txt").read_text(encoding="utf-8") == "text é"
    assert sorted(path.parent.iterdir()) == [path, path.with_suffix(".txt")]


def test_a_taken_name_gets_a_number(tmp_path):
    first, second, third = (files.write_picture(tmp_path, make_recipe(), bytes([i]), "") for i in range(3))
    assert [second.stem, third.stem] == [f"{first.stem}-2", f"{first.stem}-3"]
    assert [path.read_bytes() for path in (first, second, third)] == [b"\0", b"\1", b"\2"]


def test_a_text_of_the_users_is_not_overwritten(tmp_path):
    note = tmp_path / "demo" / f"{files.stem(make_recipe())}.txt"
    note.parent.mkdir()
    note.write_text("my note")
    path = files.write_picture(tmp_path, make_recipe(model="demo"), b"png", "text")
    assert path.stem == f"{note.stem}-2"
    assert note.read_text() == "my note"


def test_two_processes_saving_into_one_folder_never_overwrite_each_other(tmp_path):
    go = SPAWN.Event()
    children = [SPAWN.Process(target=save_many, args=(tmp_path, mark, 40, go)) for mark in (b"a", b"b")]
    for child in children:
        child.start()
    go.set()
    for child in children:
        child.join()
        assert child.exitcode == 0
    saved = list(files.pictures(tmp_path))
    assert len(saved) == 80
    contents = [path.read_bytes() for path in saved]
    assert contents.count(b"a" * 1000) == contents.count(b"b" * 1000) == 40
    assert all(path.with_suffix(".txt").read_bytes()[:1] == path.read_bytes()[:1] for path in saved)


def test_many_threads_never_overwrite_each_other(tmp_path):
    def write(number: int) -> None:
        files.write_picture(tmp_path, make_recipe(), bytes([number]), "")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes() for path in files.pictures(tmp_path)) == [bytes([number]) for number in range(20)]


def test_a_process_killed_while_writing_leaves_no_picture_and_blocks_nobody(tmp_path):
    assert run(die_before_the_rename, tmp_path) == -signal.SIGKILL
    assert list(files.pictures(tmp_path)) == []
    path = files.write_picture(tmp_path, make_recipe(), b"png", "")
    assert path.read_bytes() == b"png"


def test_cleaning_removes_what_a_killed_process_left_but_not_what_is_being_written(tmp_path):
    run(die_before_the_rename, tmp_path)
    [left] = tmp_path.glob("*/.*.part")
    files.clean(tmp_path)
    assert left.exists()
    os.utime(left, (0, 0))
    files.clean(tmp_path)
    assert not left.exists()


def test_cleaning_looks_into_every_folder_that_is_shown(tmp_path):
    left, hidden = tmp_path / "demo" / "best" / ".a.png.part", tmp_path / ".git" / ".b.png.part"
    for path in (left, hidden):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (0, 0))
    files.clean(tmp_path)
    assert (left.exists(), hidden.exists()) == (False, True)


def test_a_write_that_the_disk_refuses_leaves_nothing_behind(tmp_path):
    answer = SPAWN.Queue()
    assert run(limited_write, tmp_path, answer) == 0
    assert answer.get(timeout=30) == "File too large"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_pictures_are_found_in_subfolders_but_not_in_hidden_ones(tmp_path):
    for name in ("demo/a.png", "demo/best/b.PNG", ".darkroom/c.png", "demo/.d.png", "demo/e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.name for path in files.pictures(tmp_path)] == ["a.png", "b.PNG"]


@pytest.mark.parametrize("name", [".a.png", "a.txt", "a.png.part", os.fsdecode(b"\xff.png")])
def test_a_file_that_is_hidden_or_no_picture_or_has_no_readable_name_is_not_looked_at(name):
    assert not files.is_picture(name)


@pytest.mark.parametrize("name", ["a.png", "a b.PNG", "日本\u3000.png", "🐈\u200d⬛.png"])
def test_a_picture_may_have_any_readable_name(name):
    assert files.is_picture(name)


def test_a_stamp_changes_when_a_file_is_written_anew(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    first = files.stamp(path)
    assert files.stamp(path) == first
    os.utime(path, (1, 1))
    assert files.stamp(path) != first
    os.utime(path, ns=(first.modified, first.modified))
    path.write_bytes(b"three")
    assert files.stamp(path).size == 5
    assert files.stamp(tmp_path) is None
    assert files.stamp(tmp_path / "none") is None


def test_a_picture_is_moved_with_its_text_and_never_onto_another(tmp_path):
    first, second = (files.write_picture(tmp_path, make_recipe(model=model), b"png", model) for model in ("a", "b"))
    moved = files.move_picture(first, second.parent)
    assert moved.name == f"{first.stem}-2.png"
    assert moved.with_suffix(".txt").read_text() == "a"
    assert second.with_suffix(".txt").read_text() == "b"
    assert sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file()) == [".png", ".png", ".txt", ".txt"]


def test_a_picture_that_cannot_be_moved_stays_and_leaves_nothing_behind(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.move_picture(tmp_path / "gone.png", tmp_path / "demo")
    assert list((tmp_path / "demo").iterdir()) == []
