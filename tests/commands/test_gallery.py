"""`gallery`: pictures found, shown, deleted, brought back and exported on the command line."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.gallery.pictures import at, open_gallery


@pytest.fixture(scope="module")
def images(environment):
    """Three pictures, the oldest first; the last is a favourite with four stars."""
    gallery = open_gallery(Path(environment["DARKROOM_OUTPUTS"]))
    pictures = [
        at(0, seed=1, prompt="a red house"),
        at(60, seed=2, prompt="a red boat", model="demo"),
        at(120, seed=3, prompt="a blue house by the sea, " + "far away, " * 20),
    ]
    saved = [gallery.save(picture, "job-1") for picture in pictures]
    gallery.mark(saved[2].id, favourite=True, rating=4)
    gallery.close()
    return saved


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], [2, 1, 0]),
        (["red"], [1, 0]),
        (["house", "--favourite"], [2]),
        (["--rating", "4"], [2]),
        (["--model", "demo"], [1]),
        (["--model", "stable-diffusion-3.5-medium", "--limit", "1"], [2]),
        (["--model", "gone/model"], []),
        (["--width", "16", "--height", "8", "--skip", "1"], [1, 0]),
        (["--since", "2026-11-20", "--until", "2026-11-22"], [2, 1, 0]),
        (["--until", "2026-11-19"], []),
        (["--deleted"], []),
    ],
)
def test_pictures_are_found_by_all_that_a_search_may_ask(shell, images, wanted, found):
    code, out, err = shell("gallery", "list", *wanted, "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] == [images[place].id for place in found]


def test_a_list_has_a_line_for_each_picture_and_says_how_many_are_left(shell, images):
    code, out, err = shell("gallery", "list", "--limit", "2")
    first, second = out.splitlines()
    assert code == 0
    assert first.startswith(f"{images[2].id}  2026-11-21")
    assert "♥★★★★" in first
    assert first.rstrip().endswith("…")
    assert second.rstrip().endswith("a red boat")
    assert err == "2 of 3; --limit and --skip show the others.\n"
    assert shell("gallery", "list", "zebra")[1] == "There is no such picture.\n"
    assert shell("gallery", "list", "x" * 300)[0] == 2


def test_a_picture_is_shown_by_its_id_or_its_file(shell, images, tmp_path):
    code, out, _ = shell("gallery", "show", str(images[0].path), "--json")
    told = json.loads(out)
    assert (code, told["id"], told["seed"], told["made_from"]) == (0, images[0].id, 1, None)
    code, out, _ = shell("gallery", "show", images[0].id)
    assert "guidance scale" in out
    code, _, err = shell("gallery", "show", "0000000000000000")
    assert (code, err.startswith("Error: There is no image")) == (1, True)
    (tmp_path / "other.png").write_bytes(b"no picture")
    code, _, err = shell("gallery", "show", str(tmp_path / "other.png"))
    assert (code, "is no PNG that the studio saved" in err) == (2, True)


def test_what_is_deleted_can_be_listed_and_brought_back(shell, images):
    assert shell("gallery", "delete", str(images[1].path), images[0].id)[:2] == (0, "2 deleted.\n")
    assert not images[1].path.exists()
    _, out, _ = shell("gallery", "list", "--deleted", "--json")
    ids = [json.loads(line)["id"] for line in out.splitlines()]
    assert ids == [images[1].id, images[0].id]
    code, out, _ = shell("gallery", "restore", *ids, "0000000000000000")
    assert (code, out) == (1, "2 restored.\n")
    assert images[1].path.exists()


def test_an_archive_has_each_picture_with_its_text_and_replaces_no_file(shell, images, tmp_path):
    archive = tmp_path / "pictures.zip"
    call = ("gallery", "export", str(images[0].path), images[2].id, "--output", str(archive))
    assert shell(*call)[:2] == (0, f"{archive}\n")
    with zipfile.ZipFile(archive) as file:
        assert sorted(Path(name).suffix for name in file.namelist()) == [".png", ".png", ".txt", ".txt"]
    code, _, err = shell(*call)
    assert (code, f"{archive} is there already." in err) == (2, True)


def test_an_index_that_is_lost_is_rebuilt_from_the_pictures(shell, images, environment):
    for file in Path(environment["DARKROOM_OUTPUTS"]).glob(".darkroom/studio.db*"):
        file.unlink()
    assert shell("gallery", "rebuild")[:2] == (0, "3 pictures.\n")
