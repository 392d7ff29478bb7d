"""Pictures that are kept under the hash of their pixels."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from pipeline.errors import NotFound, OutputUnwritable
from pipeline.inputs import size_of
from pipeline.pictures.store import LIFETIME, InputStore, input_id
from tests.pictures.samples import file, noisy, png_header, shaded


@pytest.fixture
def store(tmp_path: Path) -> InputStore:
    return InputStore(tmp_path / "inputs")


def names(store: InputStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_comes_back_pixel_for_pixel_under_the_hash_of_its_pixels(store: InputStore, mode: str) -> None:
    picture = noisy().convert(mode)
    name = store.put(picture)
    assert name == f"{hashlib.sha256(picture.tobytes()).hexdigest()}-64x48"
    assert size_of(name) == (64, 48)
    assert store.has(name)
    found = store.get(name)
    assert (found.mode, found.size, found.tobytes()) == (mode, picture.size, picture.tobytes())


def test_the_same_pixels_are_kept_once_wherever_they_came_from(store: InputStore) -> None:
    described = noisy()
    described.info["dpi"] = (300, 300)
    assert store.put(noisy()) == store.put(described)
    assert len(names(store)) == 1


def test_the_same_bytes_in_another_shape_are_another_picture(store: InputStore) -> None:
    wide = Image.frombytes("L", (64, 32), bytes(2048))
    high = Image.frombytes("L", (32, 64), bytes(2048))
    assert store.put(wide) != store.put(high)
    assert store.get(store.put(high)).size == (32, 64)


def test_what_is_put_again_stays_for_another_month(store: InputStore) -> None:
    name = store.put(noisy())
    os.utime(store.path(name), (0, 0))
    store.put(noisy())
    store.clean(())
    assert store.has(name)


def test_threads_that_keep_one_picture_at_once_leave_it_whole_and_nothing_else(store: InputStore) -> None:
    picture = noisy(300, 300)
    threads = [threading.Thread(target=store.put, args=(picture,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(store) == [f"{input_id(picture)}.png"]
    assert store.get(input_id(picture)).tobytes() == picture.tobytes()


def test_a_picture_that_is_not_here_says_what_to_do(store: InputStore) -> None:
    name = input_id(noisy())
    assert not store.has(name)
    with pytest.raises(NotFound, match="once more") as caught:
        store.get(name)
    assert caught.value.info.field == "image"


def texts_too_long() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    return file(noisy(), pnginfo=info)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        file(noisy())[:5000],
        file(shaded(64, 48)),
        file(noisy().convert("L")),
        file(noisy(), "TIFF"),
        png_header(60_000, 60_000),
        texts_too_long(),
    ],
    ids=["empty", "text", "cut off", "another", "another mode", "another format", "bomb", "texts"],
)
def test_a_file_that_was_changed_is_not_taken_for_the_picture_and_mended_by_bringing_it_again(
    store: InputStore, content: bytes
) -> None:
    name = store.put(noisy())
    store.path(name).write_bytes(content)
    with pytest.raises(NotFound, match="once more"):
        store.get(name)
    assert store.put(noisy()) == name
    assert store.get(name).tobytes() == noisy().tobytes()


HEX = "a" * 64


PATHS = ("", "..", "../../etc/passwd", f"{HEX}-8x8/../x", f"/{HEX}-8x8", f"{HEX}-8x8\\..\\x")
NEARLY = (f"{HEX}-8x8.png", f"{HEX}-8x8\n", f"{HEX}-8x8\0", f"{HEX.upper()}-8x8", f"{HEX[1:]}-8x8")
SIZES = (f"{HEX}-8", f"{HEX}-8x123456", f"{HEX}-٣x٣")


@pytest.mark.parametrize("name", [*PATHS, *NEARLY, *SIZES])
def test_no_name_leads_out_of_the_folder(store: InputStore, name: str) -> None:
    assert not store.has(name)
    for ask in (store.path, store.get):
        with pytest.raises(NotFound, match="not the id"):
            ask(name)


def test_what_nothing_used_for_a_month_is_removed_and_what_is_used_stays(store: InputStore) -> None:
    colours = ("red", "lime", "blue")
    used, unused, new = (store.put(Image.new("RGB", (16, 16), colour)) for colour in colours)
    left = store.folder / ".1-2.part"  # of a process that was ended
    left.touch()
    for path in (store.path(used), store.path(unused), left):
        os.utime(path, (0, 0))
    store.clean({used})
    assert names(store) == sorted(f"{name}.png" for name in (used, new))


def test_the_month_begins_when_it_was_used_last(store: InputStore) -> None:
    name = store.put(noisy())
    for age, stays in ((LIFETIME - 60, True), (LIFETIME + 60, False)):
        store.clean({name})
        then = store.path(name).stat().st_mtime - age
        os.utime(store.path(name), (then, then))
        store.clean(())
        assert store.has(name) == stays


def test_a_folder_that_was_never_used_needs_no_cleaning(store: InputStore) -> None:
    store.clean({input_id(noisy())})
    assert not store.folder.exists()


def test_a_full_disk_is_told_and_leaves_nothing_behind(small_disk: Path) -> None:
    store = InputStore(small_disk / "inputs")
    with pytest.raises(OutputUnwritable, match="No space left") as caught:
        store.put(noisy(1000, 600))
    assert "DARKROOM_OUTPUTS" in caught.value.info.remedy
    assert names(store) == []
    assert store.has(store.put(shaded()))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("in the way")
    with pytest.raises(OutputUnwritable, match="cannot be kept"):
        InputStore(tmp_path / "inputs").put(noisy())
