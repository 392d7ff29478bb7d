"""The log of the jobs: what became of each, with times, in memory for the last ones and in a file for longer.

Prompts are nobody else's business, so they are left out: whatever a message quotes is replaced. What a worker's
libraries print may hold anything; it is kept in memory only, as lines of the level `printed`, for the job's owner.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.events import Asked, Cancelled, Event, Failed, Fetching, Finished, Loading, Quantized, Saved, Step, Warned
from pipeline.request import GenerationRequest

KEPT_JOBS = 100
KEPT_LINES = 400
FILE_BYTES, OLD_FILES = 2**20, 3
_PROMPTS = {"prompt", "negative_prompt"}
_QUOTED = re.compile("“[^”]*”")

Level = Literal["info", "warning", "error", "printed"]


class LogLine(BaseModel):
    """One thing that happened to a job."""

    model_config = ConfigDict(frozen=True)

    time: datetime
    level: Level
    text: str


class _QuietFile(RotatingFileHandler):
    """A disk that takes no log is no reason to stop, nor to fill the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        pass


@dataclass(slots=True)
class _Life:
    """What is remembered of a job while its lines are kept."""

    hidden: tuple[str, ...] = ()
    lines: list[LogLine] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    under_way: str = ""
    """The component that is being loaded, or the file that is being fetched."""
    since: float = 0.0
    stepped: bool = False


class JobLog:
    """The lines of the last jobs. For any thread."""

    def __init__(self, file: Path | None = None) -> None:
        """Write to `file` too, which is replaced when it is full; the last `OLD_FILES` of them stay."""
        self._lock = threading.Lock()
        self._lives: OrderedDict[str, _Life] = OrderedDict()
        self._file = logging.Logger("darkroom.jobs")
        self._file.addHandler(logging.NullHandler())  # where nothing listens, Python prints warnings to stderr
        if file is not None:
            handler = _QuietFile(file, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8", delay=True)
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
            self._file.addHandler(handler)

    def close(self) -> None:
        for handler in self._file.handlers:
            handler.close()

    def of(self, job_id: str) -> tuple[LogLine, ...]:
        """The lines of a job, the earliest first; none when it is too long ago, or from before a restart."""
        with self._lock:
            life = self._lives.get(job_id)
            return tuple(life.lines) if life else ()

    def queued(self, job_id: str, request: GenerationRequest, model: str, seed: int) -> None:
        """A job was taken in, with these settings."""
        given = request.model_dump(mode="json", exclude_defaults=True, exclude=_PROMPTS | {"model", "seed", "then"})
        if request.then:
            given["then"] = " → ".join(request.models(model)[1:])
        settings = ", ".join(f"{name} {value}" for name, value in given.items())
        with self._lock:
            life = self._life(job_id)
            words = (getattr(one, name) for one in (request, *request.then) for name in _PROMPTS)
            life.hidden = tuple(text for text in words if text)
            self._add(job_id, life, "info", f"Queued: {model}, seed {seed}" + (f", {settings}" if settings else ""))

    def begun(self, job_id: str, worker: str) -> None:
        """A worker, or a provider, has taken the job in hand."""
        with self._lock:
            life = self._life(job_id)
            life.began, life.under_way, life.stepped = time.monotonic(), "", False
            self._add(job_id, life, "info", f"Begun by {worker}")

    def printed(self, job_id: str, lines: list[str]) -> None:
        """What the worker's libraries printed meanwhile."""
        with self._lock:
            for line in lines:
                self._add(job_id, self._life(job_id), "printed", line)

    def say(self, job_id: str, level: Level, text: str) -> None:
        """Something else that happened to the job."""
        with self._lock:
            self._add(job_id, self._life(job_id), level, text)

    def note(self, job_id: str, event: Event) -> None:
        """Follow an event of the job."""
        with self._lock:
            life = self._life(job_id)
            for level, text in _told(life, event):
                self._add(job_id, life, level, text)

    def _life(self, job_id: str) -> _Life:
        if job_id not in self._lives:
            self._lives[job_id] = _Life()
            while len(self._lives) > KEPT_JOBS:
                self._lives.popitem(last=False)
        return self._lives[job_id]

    def _add(self, job_id: str, life: _Life, level: Level, text: str) -> None:
        if level != "printed":
            text = _without(life.hidden, text)
            self._file.log(getattr(logging, level.upper()), "%s %s", job_id, text.replace("\n", " "))
        life.lines.append(LogLine(time=datetime.now(UTC), level=level, text=text))
        del life.lines[:-KEPT_LINES]


def _told(life: _Life, event: Event) -> list[tuple[Level, str]]:
    """What an event is worth in the log: nothing, or a line or two."""
    now = time.monotonic()
    after = f"{now - life.began:.1f} s after it began"
    match event:
        case Loading(component=component, done=done, total=total):
            return _turned_to(life, component if done < total else "", "loaded", now)
        case Fetching(file=file, done=done, total=total):
            return _turned_to(life, file if done < total else "", "fetched", now)
        case Asked(provider=provider, crowded=True):
            return [("info", f"Waits for other tasks of the account at {provider}")]
        case Asked(provider=provider, attempt=attempt):
            return [("info", f"{provider} is asked" + (f", attempt {attempt}" if attempt > 1 else ""))]
        case Quantized():
            how = "read from the cache" if event.cached else "quantised"
            sizes = f"{event.bytes_before / 1e6:,.0f} MB became {event.bytes_after / 1e6:,.0f} MB"
            return [("info", f"{event.component} {how} in {event.precision}: {sizes}, {event.seconds:.1f} s")]
        case Step() if not life.stepped:
            life.stepped = True
            return [("info", f"First step done {after}")]
        case Saved(image=image):
            name = image.path.name if image.path else "kept in memory"
            text = f"Picture {image.index + 1} saved: {name}, made in {image.recipe.seconds:.1f} s"
            return [("info", text)] if image.path else [("info", text), ("warning", image.unsaved)]
        case Warned(message=message):
            return [("warning", message)]
        case Failed(error=error):
            return [("error", f"Failed ({error.code}): {error.message}")]
        case Cancelled():
            return [("info", "Cancelled")]
        case Finished():
            return [("info", f"Finished {after}")]
    return []


def _turned_to(life: _Life, name: str, done: str, now: float) -> list[tuple[Level, str]]:
    """Loading or fetching goes on with `name`, nothing when it is done: the one before took until now."""
    before, since = life.under_way, life.since
    if name == before:
        return []
    life.under_way, life.since = name, now
    return [("info", f"{before} {done} in {now - since:.1f} s")] if before else []


def _without(hidden: tuple[str, ...], text: str) -> str:
    """`text` without a prompt and without quotations, which may be parts of one."""
    for words in hidden:
        text = text.replace(words, "…")
    return _QUOTED.sub("“…”", text)
