"""Whose the queue of a folder is, and where that studio answers."""

import json
import threading

import pytest

from pipeline.errors import FolderInUse
from pipeline.jobs.claim import address, claim, is_held

URL = "http://127.0.0.1:8501"


@pytest.fixture
def settings(make_settings):
    return make_settings()


def test_a_studio_is_found_from_when_it_says_where_it_answers_until_it_ends(settings):
    assert address(settings) is None
    taken = claim(settings)
    assert address(settings) is None
    taken.announce(URL)
    assert address(settings) == URL
    taken.release()
    assert address(settings) is None
    assert not (settings.data_folder / "studio.json").exists()


def test_what_a_killed_studio_has_left_is_no_studio_and_keeps_nobody_out(settings):
    (settings.data_folder / "studio.json").write_text(json.dumps({"pid": 1, "url": URL}))
    assert address(settings) is None
    claim(settings).release()


def test_a_second_studio_is_refused_and_told_of_the_first(settings):
    taken = claim(settings)
    with pytest.raises(FolderInUse, match=r"process \d+\) already runs the queue"):
        claim(settings)
    taken.release()


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"url": 5}', "nonsense"])
def test_a_note_that_says_nothing_is_passed_over(settings, note):
    taken = claim(settings)
    (settings.data_folder / "studio.json").write_text(note)
    assert address(settings) is None
    taken.release()


def test_a_queue_can_be_given_back_by_another_thread(settings):
    taken = claim(settings)
    giving = threading.Thread(target=taken.release)
    giving.start()
    giving.join()
    assert not is_held(settings)
    claim(settings).release()


def test_whether_a_queue_is_held_is_seen_without_taking_it(settings):
    assert not is_held(settings)
    taken = claim(settings)
    assert is_held(settings)
    taken.release()
    assert not is_held(settings)
