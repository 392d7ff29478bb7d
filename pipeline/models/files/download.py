"""Brings files of a hub repository into the hub's cache: resumable, checked, several at a time.

`huggingface_hub` 2.4 gives addresses, tokens, proxies, errors and the layout of its cache. It does not resume: since
its downloads go to names of their own, an interrupted one starts over. So the bytes are received here, into
`blobs/<digest>.incomplete`, and only a file whose size and digest are those that the hub gave gets its final name.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import httpx2
from filelock import Timeout
from huggingface_hub import constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import are_symlinks_supported
from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]

from pipeline.errors import ModelUnavailable
from pipeline.events import Fetching
from pipeline.models.files import hub
from pipeline.models.files.hub_errors import seconds_to_wait

PARALLEL = 4
"""Files under way at once."""
TICK = 0.25
"""Seconds between two looks at progress and cancellation."""
PAUSES: tuple[float, ...] = (1, 2, 4, 8, 8)
"""Seconds to wait after each failure in a row; after the last the download fails. Bytes received start it over."""
LONGEST_WAIT = 60
"""Seconds that the hub may ask to be left alone before the download fails instead."""
_FIRST, _WINDOW = 1.0, 10.0
"""Seconds after which a speed is told, and over which it is averaged."""
_BUSY = {408, 429, 500, 502, 503, 504}
_BROKEN = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


class FetchCancelled(Exception):
    """Somebody stopped the download; what is here stays, and the next one goes on from there."""


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a hub repository, and where it belongs in the hub's cache."""

    path: str
    """In the repository, with forward slashes."""
    size: int
    """Bytes."""
    sha256: str | None
    """What the hub gives for files in its large-file storage."""
    blob_id: str
    """Git's SHA-1 of the file, or of its pointer if it is in the large-file storage."""
    repository: str
    commit: str

    @property
    def digest(self) -> str:
        """What the hub's cache calls the content."""
        return self.sha256 or self.blob_id

    @property
    def blob(self) -> Path:
        """The content in the cache."""
        return hub.repository_folder(self.repository) / "blobs" / self.digest

    @property
    def partial(self) -> Path:
        """What has been received so far."""
        return self.blob.with_name(f"{self.digest}.incomplete")

    @property
    def pointer(self) -> Path:
        """Where the file is read: a link to the content, or the content itself on disks that have no links."""
        return hub.repository_folder(self.repository) / "snapshots" / self.commit / self.path

    @property
    def lock(self) -> Path:
        """The lock that `huggingface_hub` takes for this content too."""
        return hub.cache_folder() / ".locks" / self.blob.parents[1].name / f"{self.digest}.lock"

    @property
    def is_here(self) -> bool:
        """Whether the whole file can be read."""
        return size_of(self.pointer) == self.size

    @property
    def begun(self) -> int:
        """Bytes of it that are here."""
        if self.is_here or size_of(self.blob) == self.size:
            return self.size
        return size_of(self.partial) or 0

    @property
    def name(self) -> str:
        """For messages: repository and path."""
        return f"{self.repository}/{self.path}"


def download(files: Sequence[RepoFile], on_progress: Callable[[Fetching], None], cancelled: Callable[[], bool]) -> None:
    """Bring `files` into the cache and check each; several processes may do so at once.

    `on_progress` is called on this thread, at the beginning, a few times a second and at the end; what it raises stops
    the download. Raises `FetchCancelled`, `ModelUnavailable` for a file that arrives damaged, and what the network and
    the disk raise.
    """
    _Download(files).run(on_progress, cancelled)


class Speed:
    """Bytes per second over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> float:
        """The speed when `done` bytes are here at `now` (seconds of any clock); 0 while it is not known."""
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _WINDOW:
            self._samples.popleft()
        then, before = self._samples[0]
        return max(0.0, (done - before) / (now - then)) if now - then >= _FIRST else 0.0


class Patience:
    """Decides after a failed request whether it is worth another try, and waits."""

    def __init__(self, wait: Callable[[float], None], *, reached: bool = True) -> None:
        """`wait` waits for some seconds; without `reached`, a hub that cannot be reached is not tried again."""
        self._wait = wait
        self._reached = reached
        self._failures = 0

    def reward(self) -> None:
        """Bytes have come: failures count from zero again."""
        self._failures = 0

    def after(self, error: Exception) -> None:
        """Wait for the next try. Raises `error` when there is none."""
        if self._failures == len(PAUSES) or not self._passing(error):
            raise error
        asked = seconds_to_wait(error) if isinstance(error, HfHubHTTPError) else None
        if asked is not None and asked > LONGEST_WAIT:
            raise error
        self._failures += 1
        self._wait(PAUSES[self._failures - 1] if asked is None else asked)

    def _passing(self, error: Exception) -> bool:
        if isinstance(error, HfHubHTTPError):
            return error.response.status_code in _BUSY
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return self._reached
        return isinstance(error, _BROKEN)


class _Stopped(Exception):
    """Ends a thread of a download that was stopped."""


class _Download:
    def __init__(self, files: Sequence[RepoFile]) -> None:
        self._files = files
        self._have = {file: file.begun for file in files}
        self._latest = files[0].path if files else ""
        self._speed = Speed()
        self._stop = Event()
        self._todo: queue.SimpleQueue[RepoFile] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run(self, on_progress: Callable[[Fetching], None], cancelled: Callable[[], bool]) -> None:
        for file in self._files:
            self._todo.put(file)
        # Daemons, because one that waits for a silent server must not keep the process from ending.
        threads = [Thread(target=self._work, daemon=True) for _ in range(min(PARALLEL, len(self._files)))]
        on_progress(self._progress())
        for thread in threads:
            thread.start()
        try:
            self._watch(len(threads), on_progress, cancelled)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(timeout=TICK)
        on_progress(self._progress())

    def _watch(self, working: int, on_progress: Callable[[Fetching], None], cancelled: Callable[[], bool]) -> None:
        """Until every thread has ended. Raises what a thread raised."""
        told = monotonic()
        while working:
            if cancelled():
                raise FetchCancelled
            try:
                error = self._ended.get(timeout=TICK)
                working -= 1
                if error is not None:
                    raise error
            except queue.Empty:
                pass
            if monotonic() - told >= TICK:
                told = monotonic()
                on_progress(self._progress())

    def _progress(self) -> Fetching:
        done, total = sum(self._have.values()), sum(file.size for file in self._files)
        speed = self._speed.at(monotonic(), done)
        left = (total - done) / speed if speed else None
        return Fetching(file=self._latest, done=done, total=total, bytes_per_second=speed, seconds_left=left)

    # -- on the threads ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        error: Exception | None = None
        try:
            while not self._stop.is_set():
                self._bring(self._todo.get_nowait())
        except (queue.Empty, _Stopped):
            pass
        except Exception as problem:
            error = problem
        self._ended.put(error)

    def _bring(self, file: RepoFile) -> None:
        if not file.is_here:
            with self._locked(file):
                if size_of(file.blob) != file.size:
                    self._receive(file)
                    _check(file)
                    file.partial.replace(file.blob)
                _point(file)
        self._have[file] = file.size

    @contextmanager
    def _locked(self, file: RepoFile) -> Iterator[None]:
        """Hold the lock of a file's content. While another download holds it, its bytes are shown as progress."""
        file.lock.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            while True:
                self._check_stop()
                try:
                    held.enter_context(WeakFileLock(file.lock, timeout=TICK))
                    break
                except Timeout:
                    self._have[file] = file.begun
            yield

    def _receive(self, file: RepoFile) -> None:
        """Append to the partial file until it has all its bytes."""
        file.partial.parent.mkdir(parents=True, exist_ok=True)
        patience = Patience(self._wait)
        while (begun := size_of(file.partial) or 0) < file.size:
            try:
                self._stream(file, begun)
                if (size_of(file.partial) or 0) < file.size:
                    raise httpx2.RemoteProtocolError("The answer ended before the file did.")
            except (HfHubHTTPError, httpx2.TransportError) as error:
                if isinstance(error, HfHubHTTPError) and error.response.status_code == 416:
                    raise _damaged(file, "is shorter than the hub says") from None
                if (size_of(file.partial) or 0) > begun:
                    patience.reward()
                patience.after(error)

    def _stream(self, file: RepoFile, begun: int) -> None:
        """Receive what follows the first `begun` bytes; the whole file if the server does not take part in ranges."""
        self._check_stop()
        url = hf_hub_url(file.repository, file.path, revision=file.commit, endpoint=constants.ENDPOINT)
        headers = build_hf_headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begun}-"} if begun else {})
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as answer:
            hf_raise_for_status(answer)
            resumed = answer.status_code == 206
            self._have[file] = begun if resumed else 0
            with file.partial.open("ab" if resumed else "wb") as stream:
                for chunk in answer.iter_bytes():
                    self._check_stop()
                    stream.write(chunk)
                    self._have[file] += len(chunk)
                    self._latest = file.path
                    if self._have[file] > file.size:
                        return

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped


def digest_of(path: Path, like: str) -> str:
    """The digest of a file, of the kind that `like` is: SHA-256, or git's SHA-1 of a blob."""
    with path.open("rb") as stream:
        if len(like) == 64:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        start = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(stream, lambda: hashlib.sha1(start, usedforsecurity=False)).hexdigest()


def size_of(path: Path) -> int | None:
    """Bytes of the file at `path`, links followed; None when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _check(file: RepoFile) -> None:
    """Keep a received file only if it is the one that the hub described, and is safe on the disk."""
    if digest_of(file.partial, file.digest) != file.digest:
        raise _damaged(file, "is not the file that the hub describes")
    with file.partial.open("rb") as stream:
        os.fsync(stream.fileno())


def _damaged(file: RepoFile, how: str) -> ModelUnavailable:
    """Remove what was received of `file`, and say so."""
    file.partial.unlink(missing_ok=True)
    return ModelUnavailable(
        f"{file.name} arrived damaged: what came {how}. It was removed.",
        "Try again; if it happens again, look at HF_ENDPOINT, the proxy and the disk.",
        field="model",
    )


def _point(file: RepoFile) -> None:
    """Let the snapshot have the content, as `huggingface_hub` does: by a relative link, or else by moving it."""
    file.pointer.parent.mkdir(parents=True, exist_ok=True)
    file.pointer.unlink(missing_ok=True)
    if are_symlinks_supported(hub.cache_folder()):
        file.pointer.symlink_to(os.path.relpath(file.blob, file.pointer.parent))
    else:
        shutil.move(file.blob, file.pointer)
