"""Darkroom: pictures from words, on this machine.

`Studio` is the way in; everything else here is what it takes and gives. The names are imported when they are first
used, so that a worker process or `--help` does not load what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.errors import DarkroomError
    from pipeline.events import Event, SavedImage
    from pipeline.jobs.job import Job
    from pipeline.recipe import Recipe
    from pipeline.request import GenerationRequest
    from pipeline.settings import Settings
    from pipeline.studio import Studio

_HOMES = {
    "DarkroomError": "errors",
    "Event": "events",
    "GenerationRequest": "request",
    "Job": "jobs.job",
    "Recipe": "recipe",
    "SavedImage": "events",
    "Settings": "settings",
    "Studio": "studio",
}
__all__ = ["DarkroomError", "Event", "GenerationRequest", "Job", "Recipe", "SavedImage", "Settings", "Studio"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
