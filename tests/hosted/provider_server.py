"""A real HTTP server in place of a provider: it answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body, where it is JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: bytes | dict[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    dropped: bool = False
    """Whether the connection ends in the middle of the body."""
    held_until: threading.Event | None = None
    """What has to happen before it is sent."""


class ProviderServer:
    """Answers in the order in which they were given, the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.arrived = threading.Semaphore(0)
        """Counts requests as they come."""
        self._answers: deque[Answer | Callable[[Asked], Answer]] = deque()

    def answers(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        """Answer with these from now on."""
        self._answers = deque(answers)

    def reply(self, asked: Asked) -> Answer:
        """The answer to a request."""
        self.asked.append(asked)
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        self.arrived.release()
        return answer if isinstance(answer, Answer) else answer(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may hang up
            super().handle_error(request, client_address)


@contextmanager
def provider_server() -> Iterator[ProviderServer]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(self.command, self.path, self.headers, self.rfile.read(length))
            self._send(told.reply(asked))

        do_GET = do_POST  # noqa: N815 - the standard library's name

        def _send(self, answer: Answer) -> None:
            if answer.held_until is not None:
                answer.held_until.wait(60)
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer.dropped else body)
            if answer.dropped:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    told = ProviderServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # seconds until it sees its end
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def picture(width: int = 64, height: int = 48, color: object = "teal", mode: str = "RGB", kind: str = "PNG") -> bytes:
    """A file with a picture of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), color).save(buffer, kind)  # type: ignore[arg-type]
    return buffer.getvalue()
