"""One call of a provider: what goes there, what comes back, and what is told meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image
from pydantic import BaseModel

from pipeline.errors import DarkroomError
from pipeline.events import Asked, Event, Preview, Warned
from pipeline.models.hosted import HostedModel, Provider
from pipeline.request import GenerationRequest


class Stopped(Exception):
    """The job was cancelled before this call cost anything."""


class Transient(Exception):
    """A call that nothing came of and that may be made again: the provider is busy, or was not reached at all.

    Never one that may have been carried out, since it would be paid twice.
    """

    def __init__(self, error: DarkroomError, retry_after: float | None = None) -> None:
        """`error` is raised when the last attempt fails; `retry_after` are the seconds that the provider asks for."""
        super().__init__(str(error))
        self.error, self.retry_after = error, retry_after


class Crowded(Transient):
    """The account has as many tasks under way as the provider allows: this call is taken once another one has ended."""


class Line:
    """Those who wait for room at one provider, in the order in which they came. For any thread."""

    def __init__(self) -> None:
        self._places: list[object] = []  # what is done with it is one step of the interpreter each

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._places

    @contextmanager
    def place(self) -> Iterator[Callable[[], bool]]:
        """A place at the end; what is given tells whether it has become the first."""
        place = object()
        self._places.append(place)
        try:
            yield lambda: self._places[0] is place
        finally:
            self._places.remove(place)


@dataclass(frozen=True, slots=True)
class Call:
    """What a provider is asked for: `count` pictures of one request."""

    model: HostedModel
    provider: Provider
    base_url: str
    """The provider's address, or the one that its variable names."""
    keys: Mapping[str, str] = field(repr=False)
    """By the first name of each."""
    request: GenerationRequest
    """Its seed is final, and that of the first picture of the call."""
    count: int = 1
    image: Image.Image | None = None
    """The picture to work from (mode RGB)."""
    mask: Image.Image | None = None
    """As large as `image` (mode L): white is drawn anew."""
    task: str = ""
    """The provider's id of this call when it was begun before a restart: its pictures are waited for, and nothing is
    ordered."""

    @property
    def key(self) -> str:
        """The first of its keys, which is the only one of most providers; empty where none is asked for. A record of
        one's own may name its variable otherwise."""
        return next(iter(self.keys.values()), "")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.model.asked_size(self.request)

    @property
    def options(self) -> dict[str, str]:
        """The model's own settings, each with its value."""
        return self.model.chosen(self.request)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One picture as it came."""

    data: bytes = field(repr=False)
    """The file: PNG, JPEG or WebP."""
    model: str = ""
    """The provider's own name of what made it, where it says so."""
    request_id: str = ""
    revised_prompt: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What is not as it was asked for, where it says so."""


def counted(usage: object) -> dict[str, int]:
    """The numbers in what a provider's package says that it counted; none where it says nothing."""
    counts = usage.model_dump() if isinstance(usage, BaseModel) else {}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


class Watch:
    """What an adapter tells while a call is under way, and hears."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        stop: threading.Event,
        note_task: Callable[[str], None],
        note_open: Callable[[bool], None],
        asked: Asked,
        line: Line,
    ) -> None:
        """`stop` is set when the job is cancelled. `note_task` writes down a provider's id of the call, `note_open`
        whether the call may be carried out. `line` has all who wait for room at the provider."""
        self._emit, self._stop, self._asked, self.line = emit, stop, asked, line
        self._note_task, self._note_open = note_task, note_open

    def check(self) -> None:
        """Raise `Stopped` if the job was cancelled: for before anything costs, and not for after."""
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, and raise `Stopped` when the job is cancelled meanwhile: as `check`, for before anything costs."""
        if self._stop.wait(seconds):
            raise Stopped

    def again(self, attempt: int) -> None:
        """Tell that the provider is asked once more."""
        self._emit(self._asked.model_copy(update={"attempt": attempt}))

    def ordering(self, now: bool) -> None:
        """Note that the order is sent now, or that certainly nothing came of it: what is open when the studio ends may
        have been paid for, and is not ordered again."""
        self._note_open(now)

    def crowded(self, now: bool) -> None:
        """Tell that other tasks of the account must end first, or that there is room by now."""
        self._emit(self._asked.model_copy(update={"crowded": now}))

    def warn(self, message: str) -> None:
        """Tell a person something that does not stop the job."""
        self._emit(Warned(message=message))

    def preview(self, jpeg: bytes) -> None:
        """Show what the first picture of the call looks like so far: a small JPEG."""
        self._emit(Preview(image_index=self._asked.image_index, jpeg=jpeg))

    def task(self, task_id: str) -> None:
        """Note the provider's id of the call as soon as it is known, so that it is found again after a restart."""
        self._note_task(task_id)


class Adapter(Protocol):
    """A module that speaks with a kind of provider."""

    def make(self, call: Call, watch: Watch) -> list[Arrival]:
        """Order the pictures of a call and wait for them: at most `call.count`, at least one.

        Raises `Stopped`; `KeyMissing` for a key that is refused, `QuotaExceeded`, `ContentRefused`, `ModelRetired`,
        `InvalidRequest` for what the provider does not take, and `ProviderFailed` for all else.
        """
