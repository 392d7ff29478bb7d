"""One conversation with a running studio: requests, and the errors that come back as they were raised there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from pydantic import SecretStr

from pipeline.errors import DarkroomError, ErrorInfo, StudioUnreachable

CLIENT = "shell"
_COOKIE = "darkroom_client"
"""By which the API tells clients apart, so that they take turns."""
_PATIENCE = httpx2.Timeout(300, connect=5)
"""Seconds: a sheet is drawn, or a picture decoded, while its answer is waited for."""
_STREAM_PATIENCE = httpx2.Timeout(60, connect=5)
"""A stream says something every fifteen seconds, also when nothing happens."""


class Connection:
    """The way to the studio at `url`. Safe to use from several threads."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        # Without the environment's proxies: the studio is on this machine.
        self._client = httpx2.Client(
            base_url=url, headers=headers, cookies={_COOKIE: CLIENT}, timeout=_PATIENCE, trust_env=False
        )

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer to one request; `options` are those of httpx2. Raises what the studio answers with if it refuses,
        and `StudioUnreachable`."""
        try:
            response = self._client.request(method, path, **options)
        except httpx2.HTTPError as error:
            message = f"The studio that runs at {self.url} does not answer: {error}."
            remedy = "Try again, or give --alone for an engine of your own."
            raise StudioUnreachable(message, remedy) from None
        if response.is_error:
            raise _error(response)
        return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The same, read as JSON."""
        return self.ask(method, path, **options).json()

    @contextmanager
    def follow(self, path: str) -> Iterator[Iterator[str]]:
        """The data of each server-sent event, as it comes. Raises `httpx2.TransportError` when the connection breaks,
        and as `ask` does."""
        with self._client.sse(path, timeout=_STREAM_PATIENCE) as events:
            if events.response.is_error:
                events.response.read()
                raise _error(events.response)
            yield (event.data for event in events)


def _error(response: httpx2.Response) -> DarkroomError:
    """The error that an answer tells of, as it was raised there."""
    if response.status_code == 401:
        message = "The running studio asks for a token, and this is none that it knows."
        return StudioUnreachable(message, "Set DARKROOM_TOKEN to the value that it was started with.")
    try:
        told = response.json()
        info = ErrorInfo(code=told["code"], message=told["detail"], remedy=told["remedy"], field=told["field"])
    except (ValueError, KeyError, TypeError):
        info = ErrorInfo(code="error", message=f"The running studio answered with status {response.status_code}.")
    return DarkroomError.from_info(info)
