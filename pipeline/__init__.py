"""Darkroom: pictures from words, on this machine.

`Studio` is the way in; everything else here is what it takes and gives. The names are imported when they are first
used, so that a worker process or `--help` does not load what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.chains import Chain
    from pipeline.compare.grid import Axis, Comparison
    from pipeline.compare.state import ComparisonState
    from pipeline.doctor import Check
    from pipeline.errors import (
        AddressInUse,
        BadSettings,
        Busy,
        ContentRefused,
        DarkroomError,
        DependencyMissing,
        EngineFailed,
        ErrorInfo,
        FolderInUse,
        InvalidRequest,
        JobCancelled,
        KeyMissing,
        ModelRetired,
        ModelUnavailable,
        NotFound,
        OutOfMemory,
        OutputUnwritable,
        ProviderFailed,
        QueueFull,
        QuotaExceeded,
        StudioUnreachable,
        UnknownModel,
        WorkerDied,
    )
    from pipeline.estimate import Estimate
    from pipeline.events import (
        Asked,
        Cancelled,
        Event,
        Failed,
        Fetching,
        Finished,
        Loading,
        Preview,
        Quantized,
        Queued,
        Saved,
        SavedImage,
        Step,
        Warned,
    )
    from pipeline.gallery.metadata import read_recipe
    from pipeline.gallery.query import ImageQuery
    from pipeline.gallery.verify import verify
    from pipeline.inputs import ControlUse, Margins, Point, Selection, Upscale
    from pipeline.jobs.job import Job
    from pipeline.jobs.state import EngineState, JobState
    from pipeline.models.hosted import HostedModel
    from pipeline.models.planning.plan import Plan
    from pipeline.models.registry import ModelRecord
    from pipeline.recipe import Recipe
    from pipeline.request import GenerationRequest, LoraUse, Stage
    from pipeline.settings import Settings
    from pipeline.studio import Studio

_NAMES = {
    "chains": "Chain",
    "compare.grid": "Axis Comparison",
    "compare.state": "ComparisonState",
    "doctor": "Check",
    "errors": "AddressInUse BadSettings Busy ContentRefused DarkroomError DependencyMissing EngineFailed ErrorInfo "
    "FolderInUse InvalidRequest JobCancelled KeyMissing ModelRetired ModelUnavailable NotFound OutOfMemory "
    "OutputUnwritable ProviderFailed QueueFull QuotaExceeded StudioUnreachable UnknownModel WorkerDied",
    "estimate": "Estimate",
    "events": "Asked Cancelled Event Failed Fetching Finished Loading Preview Quantized Queued Saved SavedImage Step "
    "Warned",
    "gallery.metadata": "read_recipe",
    "gallery.query": "ImageQuery",
    "gallery.verify": "verify",
    "inputs": "ControlUse Margins Point Selection Upscale",
    "jobs.job": "Job",
    "jobs.state": "EngineState JobState",
    "models.hosted": "HostedModel",
    "models.planning.plan": "Plan",
    "models.registry": "ModelRecord",
    "recipe": "Recipe",
    "request": "GenerationRequest LoraUse Stage",
    "settings": "Settings",
    "studio": "Studio",
}
"""The public names in each module."""
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
__all__ = [
    "AddressInUse",
    "Asked",
    "Axis",
    "BadSettings",
    "Busy",
    "Cancelled",
    "Chain",
    "Check",
    "Comparison",
    "ComparisonState",
    "ContentRefused",
    "ControlUse",
    "DarkroomError",
    "DependencyMissing",
    "EngineFailed",
    "EngineState",
    "ErrorInfo",
    "Estimate",
    "Event",
    "Failed",
    "Fetching",
    "Finished",
    "FolderInUse",
    "GenerationRequest",
    "HostedModel",
    "ImageQuery",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobState",
    "KeyMissing",
    "Loading",
    "LoraUse",
    "Margins",
    "ModelRecord",
    "ModelRetired",
    "ModelUnavailable",
    "NotFound",
    "OutOfMemory",
    "OutputUnwritable",
    "Plan",
    "Point",
    "Preview",
    "ProviderFailed",
    "Quantized",
    "QueueFull",
    "Queued",
    "QuotaExceeded",
    "Recipe",
    "Saved",
    "SavedImage",
    "Selection",
    "Settings",
    "Stage",
    "Step",
    "Studio",
    "StudioUnreachable",
    "UnknownModel",
    "Upscale",
    "Warned",
    "WorkerDied",
    "read_recipe",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
