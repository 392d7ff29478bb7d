"""Fetches checkpoints from the hub: lists what is needed, downloads what is missing, and does so in the background.

    places = fetch(record, on_progress)              # here and now
    Fetcher().start(record)                          # in a thread of this process

The main branch of a repository is taken. `refs/main` in the cache is written last, so that it never names a snapshot
of ours that is not complete.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeVar

import httpx2
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]
from pydantic import BaseModel, ConfigDict

from pipeline.errors import DarkroomError, EngineFailed, ErrorInfo, ModelUnavailable
from pipeline.events import Fetching
from pipeline.models.files import hub
from pipeline.models.files.download import FetchCancelled, Patience, RepoFile, download
from pipeline.models.files.hub_errors import explained
from pipeline.models.files.selection import INDEX, chosen, components_in
from pipeline.models.registry import ModelRecord

_Result = TypeVar("_Result")
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def _never() -> bool:
    return False


def needed(record: ModelRecord, cancelled: Callable[[], bool] = _never) -> list[RepoFile]:
    """The files that `record` needs from the hub, those that are here included; nothing for local folders.

    Asks the hub. Raises `ModelUnavailable`, also when a component has no safetensors, and `FetchCancelled`.
    """
    with explained(record):
        from_hub = [source for source in hub.sources(record) if not source.is_local]
        return [file for source in from_hub for file in _listed(source, record, cancelled)]


def fetch(
    record: ModelRecord, on_progress: Callable[[Fetching], None], cancelled: Callable[[], bool] = _never
) -> dict[str, Path]:
    """Have all files of `record` on this disk, and say where: key of each of `hub.sources` → folder or file.

    The network is only used when something is missing. `on_progress` is called a few times a second on this thread;
    what it raises stops the download. Raises `ModelUnavailable`, and `FetchCancelled` once `cancelled()` is true.
    """
    hub.check_available(record)
    absent = [source for source in hub.sources(record) if source.lacks() is not None]
    if absent:
        with explained(record):
            files = [file for source in absent for file in _listed(source, record, cancelled)]
            hub.check_room(record, sum(file.size - file.begun for file in files))
            download(files, on_progress, cancelled)
            for repository, commit in {(file.repository, file.commit) for file in files}:
                _refer(repository, commit)
    return hub.places(record)


def _listed(source: hub.Source, record: ModelRecord, cancelled: Callable[[], bool]) -> list[RepoFile]:
    """What the hub has of what `source` is for."""

    def ask() -> tuple[str, dict[str, RepoFile]]:
        info = HfApi().model_info(source.name, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        files = [_repo_file(source.name, str(info.sha), sibling) for sibling in info.siblings or []]
        return str(info.sha), {file.path: file for file in files}

    try:
        commit, files = _patiently(ask, cancelled)
        index = _patiently(lambda: _index(source.name, commit), cancelled) if INDEX in files else None
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ModelUnavailable(
            f"{record.name} cannot be fetched: what answers at {constants.ENDPOINT} is not a Hugging Face hub.",
            "Check HF_ENDPOINT, and whether this network wants a login first.",
            field="model",
        ) from None
    if index is None and f"{source.key}/config.json" not in files:
        raise ModelUnavailable(
            f"{source.name} on the hub is not a diffusers checkpoint: it has no {INDEX}.",
            f"Choose a repository that has a {INDEX}.",
            field="model",
        )
    try:
        listed = {source.key: ("diffusers", "")} if index is None else components_in(index)
        paths = chosen(files, source.taken(listed), record.variant, weights=source.weights)
    except LookupError as reason:
        remedy = "Choose a repository of this model that has .safetensors files."
        raise ModelUnavailable(f"{source.name} on the hub {reason}.", remedy, field="model") from None
    return [files[path] for path in paths]


def _repo_file(repository: str, commit: str, sibling: Any) -> RepoFile:
    """A file as the hub describes it. Raises `TypeError` for what no hub says: all of this becomes paths."""
    size, sha256 = (sibling.lfs.size, sibling.lfs.sha256) if sibling.lfs else (sibling.size, None)
    if not (isinstance(size, int) and _HEX.fullmatch(commit) and _HEX.fullmatch(str(sha256 or sibling.blob_id))):
        raise TypeError(f"{sibling.rfilename} without size or digest")
    return RepoFile(
        path=sibling.rfilename,
        size=size,
        sha256=sha256,
        blob_id=str(sibling.blob_id),
        repository=repository,
        commit=commit,
    )


def _index(repository: str, commit: str) -> dict[str, Any]:
    """`model_index.json` of the hub, which is not stored: it belongs to the cache once the rest is there."""
    url = hf_hub_url(repository, INDEX, revision=commit, endpoint=constants.ENDPOINT)
    answer = get_session().get(url, headers=build_hf_headers(), timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    hf_raise_for_status(answer)
    return dict(answer.json())


def _patiently(ask: Callable[[], _Result], cancelled: Callable[[], bool]) -> _Result:
    """What `ask` returns, asked again after failures that pass."""

    def wait(seconds: float) -> None:
        end, pause = monotonic() + seconds, threading.Event()
        while monotonic() < end:
            if cancelled():
                raise FetchCancelled
            pause.wait(min(0.1, seconds))

    patience = Patience(wait, reached=False)
    while True:
        try:
            return ask()
        except (HfHubHTTPError, httpx2.TransportError) as error:
            patience.after(error)


def _refer(repository: str, commit: str) -> None:
    """Let the main branch in the cache be `commit`."""
    reference = hub.repository_folder(repository) / "refs" / hub.BRANCH
    reference.parent.mkdir(parents=True, exist_ok=True)
    draft = reference.with_name(f"{hub.BRANCH}.{os.getpid()}.{threading.get_ident()}.tmp")
    draft.write_text(commit, encoding="utf-8")
    draft.replace(reference)


class FetchState(BaseModel):
    """A download of this process: how far it is, or how it ended."""

    model_config = ConfigDict(frozen=True)

    model: str
    status: Literal["queued", "running", "done", "failed", "cancelled"] = "queued"
    done: int = 0
    """Bytes that are here, of `total`; a total of 0 is not known yet."""
    total: int = 0
    bytes_per_second: float = 0.0
    seconds_left: float | None = None
    error: ErrorInfo | None = None

    @property
    def is_over(self) -> bool:
        return self.status not in {"queued", "running"}


@dataclass(slots=True)
class _Order:
    record: ModelRecord
    state: FetchState
    stopped: bool = False


class Fetcher:
    """Downloads in the background, one model after the other. For any thread."""

    def __init__(self) -> None:
        self._orders: dict[str, _Order] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, record: ModelRecord) -> FetchState:
        """Begin to fetch `record`, or go on where it was stopped; does nothing while that is under way.

        Raises `ModelUnavailable` when it is certain beforehand that it cannot be had.
        """
        hub.check_available(record)
        with self._change:
            held = self._orders.get(record.id)
            if held is not None and not held.state.is_over and not held.stopped:
                return held.state
            self._orders.pop(record.id, None)  # the last to come is the last in line
            order = self._orders[record.id] = _Order(record, FetchState(model=record.id))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fetcher", daemon=True)
                self._thread.start()
            self._change.notify_all()
            return order.state

    def cancel(self, model_id: str) -> None:
        """Stop a download; what is here stays, and `start` goes on from there. Nothing happens if there is none."""
        with self._change:
            order = self._orders.get(model_id)
            if order is None or order.state.is_over:
                return
            order.stopped = True
            if order.state.status == "queued":
                self._set(order, status="cancelled")

    def states(self) -> list[FetchState]:
        """Every download of this process, the earliest first."""
        with self._change:
            return [order.state for order in self._orders.values()]

    def wait(self, model_id: str, timeout: float | None = None) -> FetchState:
        """The state of a download once it is over, or after `timeout` seconds. Raises `KeyError` for an unknown one."""
        with self._change:
            self._change.wait_for(lambda: self._orders[model_id].state.is_over, timeout)
            return self._orders[model_id].state

    def close(self) -> None:
        """Stop all downloads; what is here stays."""
        with self._change:
            self._closed = True
            for model_id in list(self._orders):
                self.cancel(model_id)
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while (order := self._next()) is not None:
            self._fetch(order)

    def _next(self) -> _Order | None:
        """The first that waits, once there is one; None when the fetcher is closed."""
        with self._change:
            while not self._closed:
                for order in self._orders.values():
                    if order.state.status == "queued":
                        self._set(order, status="running")
                        return order
                self._change.wait()
            return None

    def _fetch(self, order: _Order) -> None:
        try:
            fetch(order.record, lambda progress: self._tell(order, progress), lambda: order.stopped)
        except FetchCancelled:
            self._finish(order, "cancelled")
        except DarkroomError as error:
            self._finish(order, "failed", error.info)
        except Exception as error:
            self._finish(order, "failed", EngineFailed(f"{order.record.name} could not be fetched: {error}").info)
        else:
            self._finish(order, "done")

    def _tell(self, order: _Order, progress: Fetching) -> None:
        with self._change:
            self._set(order, **progress.model_dump(include={"done", "total", "bytes_per_second", "seconds_left"}))

    def _finish(self, order: _Order, status: str, error: ErrorInfo | None = None) -> None:
        with self._change:
            self._set(order, status=status, error=error, bytes_per_second=0.0, seconds_left=None)

    def _set(self, order: _Order, **changes: Any) -> None:
        """Change an order's state; the lock is held."""
        order.state = order.state.model_copy(update=changes)
        self._change.notify_all()
