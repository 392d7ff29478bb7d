import pickle

import pytest

from pipeline import errors
from pipeline.errors import DarkroomError, ErrorInfo, OutOfMemory

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DarkroomError)]


def test_every_error_has_a_code_of_its_own():
    assert len({kind.code for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_back_from_its_data_and_from_a_pipe_as_what_it_was(kind):
    error = kind("It broke.", "Mend it.", field="seed", details="at line 1")
    for copy in (DarkroomError.from_info(error.info), pickle.loads(pickle.dumps(error))):
        assert type(copy) is kind
        assert copy.info == error.info
        assert str(copy) == "It broke. Mend it."


def test_an_unknown_code_is_still_an_error():
    error = DarkroomError.from_info(ErrorInfo(code="from_the_future", message="New."))
    assert type(error) is DarkroomError
    assert str(error) == "New."


def test_the_sentence_has_no_loose_space_without_a_remedy():
    assert OutOfMemory("Too large.").info.sentence == "Too large."


def test_the_tree_in_the_docstring_names_every_error():
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in KINDS)
