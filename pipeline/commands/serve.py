"""`serve`: the API alone, without the pages, until it is asked to stop."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import AddressInUse, OutputUnwritable

if TYPE_CHECKING:
    import uvicorn

APPLICATION = "api.alone:app"
"""Named, not imported: the pipeline does not know the API."""
FILE_BYTES, OLD_FILES = 2**20, 3
_HANDED_ON = "Application startup failed"
"""What uvicorn adds to the sentence that says why."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 5001,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write requests and problems to this file too, without prompts."),
    ] = None,
) -> None:
    """Serve the HTTP API without the pages, until Ctrl-C or SIGTERM. Jobs that are unfinished then go on at the next
    start."""
    import uvicorn

    from pipeline.jobs.claim import claim
    from pipeline.settings import read_settings

    claim(read_settings()).release()  # refused here in one line, and not from inside the server
    with _listener(host, port) as listener:
        _log_to(log)
        port = listener.getsockname()[1]
        config = uvicorn.Config(APPLICATION, host=host, port=port, log_config=None, access_log=log is not None)
        server = uvicorn.Server(config)
        _run(server, listener, f"http://{_name(host)}:{port}")


def _run(server: uvicorn.Server, listener: socket.socket, url: str) -> None:
    """Serve until a signal says otherwise, which is no failure; exits with 1 when the studio cannot start."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)  # uvicorn raises it again after the end, to whoever listened before
    typer.echo(f"Darkroom answers at {url}, and describes its routes at {url}/docs. Ctrl-C stops it.")
    try:
        server.run(sockets=[listener])
    except SystemExit:
        raise typer.Exit(1) from None


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `AddressInUse`."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol, by which asyncio knows that small answers must not wait (TCP_NODELAY).
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        try:
            if sys.platform != "win32":  # there it would let two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as error:
        message = f"The studio cannot listen on port {port} of {host}: {error.strerror}."
        raise AddressInUse(message, "Stop what does, or choose another with --port.") from None
    return listener


def _name(host: str) -> str:
    """The host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


# -- the log --------------------------------------------------------------------------------------------------------


class _Discreet(logging.Formatter):
    """Leaves out what an exception says, which may quote a prompt: where it happened is enough."""

    def formatException(  # noqa: N802 - the standard library's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "")


def _without_query(record: logging.LogRecord) -> bool:
    """Take the query out of a request's address: it may hold the words that somebody looks for."""
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        record.args = tuple(_cut(value) for value in record.args)
    return True


def _cut(value: Any) -> Any:
    return value.partition("?")[0] if isinstance(value, str) else value


def _log_to(file: Path | None) -> None:
    """Problems go to the terminal, and with requests and the server's life to `file`, which is replaced when it is
    full; the last `OLD_FILES` of them stay. Raises `OutputUnwritable`."""
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    terminal.addFilter(lambda record: not record.getMessage().startswith(_HANDED_ON))
    handlers: list[logging.Handler] = [terminal]
    if file is not None:
        try:
            written = RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")
        except OSError as error:
            message = f"The log cannot be written to {file}: {error.strerror}."
            raise OutputUnwritable(message, "Choose another file with --log.") from None
        written.setFormatter(_Discreet("%(asctime)s %(levelname)-7s %(name)s %(message)s"))
        written.addFilter(_without_query)
        handlers.append(written)
    logging.basicConfig(handlers=handlers, level=logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.INFO)
