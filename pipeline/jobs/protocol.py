"""What the studio and a worker say to each other: pickled, one after the other, over the child's stdin and stdout."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import ErrorInfo
from pipeline.events import Event, Last, Picture
from pipeline.inputs import InputId, Selection
from pipeline.models.hardware import EngineReport
from pipeline.models.registry import ModelRecord
from pipeline.models.segmenters import Segmenter
from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Preload:
    """To the worker: make a model ready, for nobody in particular."""

    record: ModelRecord


@dataclass(frozen=True, slots=True)
class Release:
    """To the worker: give the memory of the loaded model back; `Loaded(None)` is the answer."""


@dataclass(frozen=True, slots=True)
class Run:
    """To the worker: make the pictures `indices` of a request. `request.seed` is final."""

    job_id: str
    request: GenerationRequest
    records: tuple[ModelRecord, ...]
    """The model of each stage, the first included."""
    indices: tuple[int, ...]
    made: dict[int, InputId]
    """The other pictures, which were made before a restart: index → where they are kept for the next stage."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the worker: stop that job before its next step."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: torch is there, and this is what it sees."""

    report: EngineReport


@dataclass(frozen=True, slots=True)
class Broken:
    """From the worker, as its last word: the engine cannot start here."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the worker: the model that it now holds, None for none."""

    model: str | None


@dataclass(frozen=True, slots=True)
class Happened:
    """From the worker: something to tell those who watch. `job_id` is None during a preload."""

    job_id: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class Made:
    """From the worker: a finished picture, to be saved while the next one is made."""

    job_id: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Ended:
    """From the worker: the job is over, one way or another."""

    job_id: str
    last: Last


@dataclass(frozen=True, slots=True)
class Measure:
    """To the worker: say how much memory of its device it holds; `Measured` is the answer, also in mid-job."""


@dataclass(frozen=True, slots=True)
class Measured:
    """From the worker: bytes of its device's memory that it holds."""

    device_bytes: int


@dataclass(frozen=True, slots=True)
class Select:
    """To the worker: find what is pointed at in a picture; `Selected` is the answer, after the job in hand."""

    ticket: str
    """By which the answer is known."""
    segmenter: Segmenter
    image: InputId
    selection: Selection


@dataclass(frozen=True, slots=True)
class Selected:
    """From the worker: the mask of what was pointed at, or why there is none."""

    ticket: str
    found: InputId | ErrorInfo


ToWorker = Preload | Release | Run | Cancel | Measure | Select
FromWorker = Ready | Broken | Loaded | Happened | Made | Ended | Measured | Selected
