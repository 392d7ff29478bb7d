"""The names that scripts import."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

import pipeline
from pipeline.errors import DarkroomError
from pipeline.events import Event
from pipeline.models.registry import ROOT


@pytest.mark.parametrize("name", pipeline.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(pipeline, name)
    assert name == "Event" or found.__doc__ or issubclass(found, DarkroomError)
    assert name in dir(pipeline)


def test_every_error_and_every_event_is_public() -> None:
    union, _ = get_args(Event)
    kinds = [DarkroomError, *DarkroomError.__subclasses__(), *get_args(union)]
    assert {kind.__name__ for kind in kinds} <= set(pipeline.__all__)


def test_what_is_imported_by_name_is_what_type_checkers_see() -> None:
    assert set(pipeline.__all__) == set(pipeline._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        pipeline.Nobody  # noqa: B018


def test_an_import_of_the_package_loads_none_of_its_rooms() -> None:
    code = "import pipeline, sys; print([name for name in sys.modules if name.startswith('pipeline.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
