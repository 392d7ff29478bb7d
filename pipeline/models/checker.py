"""Checks checkpoints in the background: what can be told of one without drawing a picture.

Files on this disk are read and compared with their digests, which takes a second or two for each gigabyte; of a gated
checkpoint that is not here, the hub is asked whether the account may read it; and the self-test of the engine tries
classes, arguments and sizes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.errors import DarkroomError, ErrorInfo
from pipeline.models.files import hub, stored
from pipeline.models.files.account import check_access
from pipeline.models.finding import Finding
from pipeline.models.registry import ModelRecord

SelfTest = Callable[[ModelRecord], list[Finding]]


class CheckState(BaseModel):
    """A check of this process: under way, or what it found."""

    model_config = ConfigDict(frozen=True)

    model: str
    is_over: bool = False
    doing: Literal["waiting", "files", "access", "self-test"] = "waiting"
    findings: tuple[Finding, ...] = ()
    error: ErrorInfo | None = None
    """Why it could not be finished."""


class Checker:
    """One check after the other. For any thread."""

    def __init__(self, self_test: SelfTest) -> None:
        self._self_test = self_test
        self._states: dict[str, CheckState] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checker")

    def start(self, record: ModelRecord) -> CheckState:
        """Begin to check `record`; does nothing while that is under way."""
        with self._lock:
            held = self._states.get(record.id)
            if held is not None and not held.is_over:
                return held
            state = self._states[record.id] = CheckState(model=record.id)
        self._pool.submit(self._check, record)
        return state

    def states(self) -> list[CheckState]:
        """Every check of this process, the last one of each checkpoint."""
        with self._lock:
            return list(self._states.values())

    def close(self) -> None:
        """Begin no more checks; the one under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, record: ModelRecord) -> None:
        try:
            for finding in self._found(record):
                self._change(record, finding)
        except DarkroomError as error:
            self._end(record, error.info)
        else:
            self._end(record)

    def _found(self, record: ModelRecord) -> Iterator[Finding]:
        if stored.inventory(record).bytes_here:
            self._tell(record, "files")
            yield _files(record)
        elif record.licence.gated and not hub.is_offline():
            self._tell(record, "access")
            yield _access(record)
        self._tell(record, "self-test")
        yield from self._self_test(record)

    def _tell(self, record: ModelRecord, doing: Literal["files", "access", "self-test"]) -> None:
        with self._lock:
            self._states[record.id] = self._states[record.id].model_copy(update={"doing": doing})

    def _change(self, record: ModelRecord, finding: Finding) -> None:
        with self._lock:
            held = self._states[record.id]
            self._states[record.id] = held.model_copy(update={"findings": (*held.findings, finding)})

    def _end(self, record: ModelRecord, error: ErrorInfo | None = None) -> None:
        with self._lock:
            self._states[record.id] = self._states[record.id].model_copy(update={"is_over": True, "error": error})


def _files(record: ModelRecord) -> Finding:
    problems = stored.verify(record, drop=True)
    told = "; ".join(f"{one.file} {one.problem}" for one in problems)
    return Finding(name="files", ok=not problems, finding=told or "every file is whole")


def _access(record: ModelRecord) -> Finding:
    try:
        check_access(record)
    except DarkroomError as error:
        return Finding(name="access", ok=False, finding=error.info.sentence)
    return Finding(name="access", ok=True, finding="the account of the token may download it")
