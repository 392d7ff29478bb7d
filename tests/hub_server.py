"""A hub of one's own: a local HTTP server that speaks as much of the Hugging Face hub's protocol as downloads need.

    with HubServer() as server:
        server.add("acme/tiny", {"model_index.json": b"{}", "unet/model.safetensors": b"..."})
        server.fault("acme/tiny", "unet/model.safetensors", Fault(drop_after=1000))

Weights are in its large-file storage: asked for one, it redirects to another origin with a signed address, as the real
one does. It counts what it sends, so that tests can tell resumed downloads from repeated ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest

TINY = "acme/tiny"
"""The repository that tests fill with `pipeline_files`."""
TOKEN = "hf_member"
"""The token of an account that may read gated and private repositories."""
STRANGER = "hf_stranger"
"""The token of an account that may not."""


@dataclass
class Fault:
    """What goes wrong with a file (or, for the path "", with the repository's description)."""

    status: int = 0
    """Answer with this status instead."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with that answer."""
    drop_after: int | None = None
    """Close the connection after this many bytes."""
    hold_after: int | None = None
    """Send this many bytes and then nothing until `release` is set."""
    release: Event = field(default_factory=Event)
    held: Event = field(default_factory=Event)
    """Set once the server sends no more."""
    cut_to: int | None = None
    """Have only this many bytes of the file, and say so."""
    corrupt: bool = False
    """Send other bytes of the same number."""
    ranges: bool = True
    """Without, always send the whole file."""
    times: int | None = None
    """How often it happens; None for always."""


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    method: str
    host: str
    path: str
    range: str
    token: str
    proxied: bool
    """Whether the server was asked as a proxy for another address."""


@dataclass
class _File:
    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_sha1(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def digest(self) -> str:
        return self.sha256 if self.large else self.git_sha1


@dataclass
class _Repository:
    files: dict[str, _File]
    access: Literal["open", "gated", "private"]
    commit: str
    faults: dict[str, Fault] = field(default_factory=dict)


class HubServer:
    """The server, as a context manager."""

    def __init__(self) -> None:
        self.repositories: dict[str, _Repository] = {}
        self.asked: list[Asked] = []
        self.sent: dict[str, int] = {}
        """Bytes of content sent, for each file as `owner/name/path`."""
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))

    def __enter__(self) -> HubServer:
        # A short poll, because the shutdown waits for it.
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for repository in self.repositories.values():
            for fault in repository.faults.values():
                fault.release.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The hub's address; its large files come from `localhost`, which is another origin."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def storage_url(self) -> str:
        return f"http://localhost:{self._server.server_port}"

    def add(
        self,
        repository: str,
        files: Mapping[str, bytes] | Path,
        access: Literal["open", "gated", "private"] = "open",
    ) -> None:
        """Publish `files`, or those of a folder, as a new commit of `repository`."""
        if isinstance(files, Path):
            files = {
                file.relative_to(files).as_posix(): file.read_bytes() for file in files.rglob("*") if file.is_file()
            }
        kept = {path: _File(content, Path(path).suffix in LARGE) for path, content in files.items()}
        names = "".join(f"{path}{file.digest}" for path, file in sorted(kept.items()))
        commit = hashlib.sha1(f"{repository}{names}".encode()).hexdigest()
        self.repositories[repository] = _Repository(kept, access, commit)

    def fault(self, repository: str, path: str, fault: Fault) -> Fault:
        """From now on, let this happen to a file."""
        self.repositories[repository].faults[path] = fault
        return fault

    def commit(self, repository: str) -> str:
        return self.repositories[repository].commit

    def content(self, repository: str, path: str) -> bytes:
        return self.repositories[repository].files[path].content

    def digest(self, repository: str, path: str) -> str:
        return self.repositories[repository].files[path].digest

    def total_sent(self) -> int:
        return sum(self.sent.values())

    # -- for the handler --------------------------------------------------------------------------------------------

    def note(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def count(self, name: str, sent: int) -> None:
        with self._lock:
            self.sent[name] = self.sent.get(name, 0) + sent

    def fault_of(self, repository: _Repository, path: str) -> Fault:
        """The fault that happens now; counted."""
        with self._lock:
            fault = repository.faults.get(path)
            if fault is None or fault.times == 0:
                return Fault()
            if fault.times is not None:
                fault.times -= 1
            return fault


LARGE = {".safetensors", ".bin"}
"""Endings of what is in the large-file storage."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path).lstrip("/")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        host = self.headers.get("Host", "").split(":")[0]
        self.hub.note(
            Asked(self.command, host, path, self.headers.get("Range", ""), token, proxied=bool(address.scheme))
        )
        if path.startswith("storage/"):
            self._storage(path.removeprefix("storage/"))
        elif path == "api/whoami-v2":
            self._tell_who(token)
        elif path.startswith("api/models/") and path.endswith("/auth-check"):
            self._check_access(path.removeprefix("api/models/").removesuffix("/auth-check"), token)
        elif path.startswith("api/models/"):
            self._describe(path.removeprefix("api/models/"), token)
        elif "/resolve/" in path:
            name, _, rest = path.partition("/resolve/")
            self._resolve(name, rest.partition("/")[2], token)
        else:
            self._answer(404, b"{}")

    # -- accounts ---------------------------------------------------------------------------------------------------

    def _tell_who(self, token: str) -> None:
        names = {TOKEN: "member", STRANGER: "stranger"}
        if token in names:
            self._answer(200, json.dumps({"name": names[token]}).encode(), {"Content-Type": "application/json"})
        else:
            self._refuse(401, "", "Invalid credentials in Authorization header")

    def _check_access(self, name: str, token: str) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.access == "private" and token != TOKEN):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif repository.access == "gated" and token != TOKEN:
            self._refuse(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
        else:
            self._answer(200, b"{}")

    # -- the three kinds of address ---------------------------------------------------------------------------------

    def _describe(self, path: str, token: str) -> None:
        name = "/".join(path.split("/")[:2])
        repository = self.hub.repositories.get(name)
        # The descriptions of gated repositories are public.
        if repository is None or (repository.access == "private" and token != TOKEN):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return
        fault = self.hub.fault_of(repository, "")
        if fault.status:
            self._answer(fault.status, b"<html>Oh dear</html>", fault.headers)
            return
        if "/tree/" in path:
            body: Any = [_entry(path, file) for path, file in repository.files.items()]
        else:
            siblings = [_sibling(path, file) for path, file in repository.files.items()]
            gated = "manual" if repository.access == "gated" else False
            body = {"id": name, "modelId": name, "sha": repository.commit, "gated": gated, "siblings": siblings}
            body |= {"private": repository.access == "private", "tags": [], "downloads": 0, "likes": 0}
        self._answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str, path: str, token: str) -> None:
        repository = self.hub.repositories.get(name)
        if token not in {"", TOKEN, STRANGER}:
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif repository is None or (repository.access == "private" and token != TOKEN):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif repository.access == "gated" and token != TOKEN:
            self._refuse(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
        elif path not in repository.files:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repository.commit})
        else:
            self._serve(name, repository, path)

    def _serve(self, name: str, repository: _Repository, path: str) -> None:
        file = repository.files[path]
        headers = {"X-Repo-Commit": repository.commit, "Accept-Ranges": "bytes"}
        if not file.large:
            self._send(f"{name}/{path}", file.content, headers | {"ETag": f'"{file.digest}"'}, repository, path)
            return
        linked = {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        where = {"Location": f"{self.hub.storage_url}/storage/{name}/{path}?signature=x"}
        self._answer(302, b"", headers | linked | where)

    def _storage(self, path: str) -> None:
        """The large-file storage knows nobody: signed addresses come with no token."""
        owner, repo, inner = path.split("/", 2)
        name = f"{owner}/{repo}"
        repository = self.hub.repositories[name]
        content = repository.files[inner].content
        self._send(path, content, {"Accept-Ranges": "bytes"}, repository, inner)

    # -- answers ----------------------------------------------------------------------------------------------------

    def _send(self, name: str, content: bytes, headers: dict[str, str], repository: _Repository, path: str) -> None:
        if self.command == "HEAD":
            self._answer(200, content, headers)
            return
        fault = self.hub.fault_of(repository, path)
        if fault.status:
            self._answer(fault.status, b"Oh dear", fault.headers)
            return
        if fault.cut_to is not None:
            content = content[: fault.cut_to]
        if fault.corrupt:
            content = bytes(byte ^ 1 for byte in content)
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]) if fault.ranges else 0
        if begin and begin >= len(content):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        if begin:
            headers = headers | {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
        self._body(name, 206 if begin else 200, content[begin:], headers, fault)

    def _body(self, name: str, status: int, body: bytes, headers: dict[str, str], fault: Fault) -> None:
        self._head(status, len(body), headers)
        stop = next((at for at in (fault.drop_after, fault.hold_after) if at is not None), len(body))
        self.hub.count(name, self._write(body[:stop]))
        if fault.hold_after is not None:
            fault.held.set()
            fault.release.wait(60)
            self.hub.count(name, self._write(body[stop:]))
        elif fault.drop_after is not None and stop < len(body):
            self.close_connection = True

    def _write(self, body: bytes) -> int:
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:  # whoever asked is gone
            self.close_connection = True
            return 0
        return len(body)

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        named = {"X-Error-Code": code} if code else {}
        body = json.dumps({"error": message}).encode()
        self._answer(status, body, named | {"X-Error-Message": message} | (headers or {}))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        if self.command != "HEAD":
            self._write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _sibling(path: str, file: _File) -> dict[str, Any]:
    size = len(file.content)
    large = {"lfs": {"sha256": file.sha256, "size": size, "pointerSize": 130}} if file.large else {}
    return {"rfilename": path, "size": size, "blobId": file.git_sha1} | large


def _entry(path: str, file: _File) -> dict[str, Any]:
    size = len(file.content)
    large = {"lfs": {"oid": file.sha256, "size": size, "pointerSize": 130}} if file.large else {}
    return {"type": "file", "path": path, "size": size, "oid": file.git_sha1} | large


# -- what tests share -------------------------------------------------------------------------------------------------


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """Let this process take its models from the hub at `url` into `cache`, with no token and no proxy.

    What `HF_ENDPOINT`, `HF_HUB_CACHE` and the others set is read when `huggingface_hub` is imported.
    """
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_TOKEN_PATH": str(cache / "token"),
    }.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for variable in ("HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pipeline.models.files.download.PAUSES", (0, 0, 0))
    huggingface_hub.close_session()


def pipeline_files(weight_bytes: int = 200_000, **components: tuple[str, str]) -> dict[str, bytes]:
    """The files of a checkpoint as the hub has them, with random bytes for weights and with much that nobody needs."""
    index = {
        "_class_name": "StableDiffusion3Pipeline",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "image_encoder": [None, None],
        **{name: list(value) for name, value in components.items()},
    }
    random = Random(weight_bytes)
    return {
        "model_index.json": json.dumps(index).encode(),
        "README.md": b"# Tiny",
        "tiny.safetensors": random.randbytes(1000),
        "scheduler/scheduler_config.json": b'{"shift": 3.0}',
        "text_encoder/config.json": b'{"hidden_size": 32}',
        "text_encoder/model.safetensors": random.randbytes(weight_bytes // 4),
        "text_encoder/model.fp16.safetensors": random.randbytes(weight_bytes // 8),
        "text_encoder/pytorch_model.bin": random.randbytes(1000),
        "tokenizer/merges.txt": b"a b\n",
        "tokenizer/tokenizer_config.json": b'{"model_max_length": 77}',
        "tokenizer/vocab.json": b'{"a": 0, "b": 1}',
        "transformer/config.json": b'{"num_layers": 2}',
        "transformer/diffusion_pytorch_model.safetensors": random.randbytes(weight_bytes),
        "image_encoder/model.safetensors": random.randbytes(1000),
    }


NEEDED = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors",
]
"""What a pipeline needs of `pipeline_files`."""
ENCODER, TRANSFORMER = NEEDED[3], NEEDED[8]
