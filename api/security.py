"""The door: one middleware for pages, websocket, files and API. `api.login` has the form that lets a browser in.

Streamlit's own Origin, Host and size checks cover only its own routes, so everything passes here first. A request
goes on when its Host is ours, its Origin (if a browser sends one) is the same site, its body is small enough, and,
where `DARKROOM_TOKEN` is set, it carries the token as a Bearer header or the cookie that the form sets. Below `/sdapi/`
the token may be the password of HTTP Basic, which is all that A1111's clients can send.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import uploads
from api.access import CLIENT_COOKIE
from api.shapes import render
from pipeline.errors import ErrorInfo
from pipeline.settings import Settings

MAX_BODY = 2**20
"""Bytes that a request's body may have: a job is a few kilobytes."""
TAKE_PICTURES = re.compile(
    rf"{uploads.PREFIX}|/api/v1/(images/settings|comparisons/read|verify)|/v1/images/edits|/(sdapi|controlnet)/.*"
)
"""Where programs may send pictures along."""
TAKE_BASIC = re.compile(r"/(sdapi|controlnet)/.*")
"""Where the token may be a password."""
UPLOADS = "/_stcore/upload_file/"
"""Where the pages put a picture whose settings somebody wants back."""
_FORM_BYTES = 2**16
"""Room for what a form puts around a file."""

SESSION_COOKIE = "darkroom_session"
YEAR_SECONDS = 31_536_000
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
HEALTH = "/healthz"
"""Open to everybody: it tells nothing but that the studio lives."""
LOGIN = "/login"
"""Needs no token, for it takes it."""


class Gate:
    """Pure ASGI, so that it sees websockets too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif scope["path"] == HEALTH or (refusal := _refusal(scope, scope["app"].state.studio.settings)) is None:
            await self._app(scope, _bounded(receive, _most(scope)), _naming_the_client(scope, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await refusal(scope, receive, send)


def _refusal(scope: Scope, settings: Settings) -> Response | None:
    """Why this request may not go on, or None."""
    headers, path = Headers(scope=scope), scope["path"]
    host, origin = headers.get("host", ""), headers.get("origin")
    hosts = {name.lower() for name in settings.allowed_hosts}
    if "*" not in hosts and _name(f"//{host}") not in hosts:
        remedy = "To use the studio under that name, add it to DARKROOM_ALLOWED_HOSTS."
        return render(path, 421, ErrorInfo(code="foreign_host", message=f"“{host}” is not this studio.", remedy=remedy))
    if origin is not None and not _same_site(origin, host, hosts):
        message = f"A page from “{origin}” may not use this studio."
        return render(path, 403, ErrorInfo(code="foreign_origin", message=message))
    if _announced(headers) > (most := _most(scope)):
        return render(path, 413, ErrorInfo(code="too_large", message=f"The body is larger than {most} bytes."))
    if settings.token and path != LOGIN:
        return _judge_token(scope, headers, settings.token.get_secret_value())
    return None


def _same_site(origin: str, host: str, hosts: set[str]) -> bool:
    """The very host and port of the request; or, behind a proxy that rewrites Host, a name we were told of."""
    name = _name(origin)
    return origin.partition("://")[2].lower() == host.lower() or (name in hosts and name not in LOOPBACK)


def _most(scope: Scope) -> int:
    """Bytes that the body of this request may have: for a file that the pages take, what Streamlit allows it."""
    if scope["type"] == "http" and scope["method"] == "POST" and TAKE_PICTURES.fullmatch(scope["path"]):
        return uploads.MAX_BYTES
    if scope["type"] != "http" or scope["method"] != "PUT" or not scope["path"].startswith(UPLOADS):
        return MAX_BODY
    from streamlit import config  # only where there are pages

    return int(config.get_option("server.maxUploadSize")) * 2**20 + _FORM_BYTES


def _announced(headers: Headers) -> int:
    """Bytes that the body is said to have; what it really has is counted as it comes."""
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _judge_token(scope: Scope, headers: Headers, token: str) -> Response | None:
    """Why a request may not go on that came without the token or with a wrong one; None when it may. Only wrong tokens
    are counted: the cookie holds a hash, which nobody guesses."""
    if (given := _given(scope["path"], headers)) is None:
        known = same(_cookie(headers, SESSION_COOKIE), session_value(token))
        return None if known else _ask_for_token(scope, headers)
    tried = try_token(scope, given, token)
    if isinstance(tried, Response):
        return tried
    return None if tried else _ask_for_token(scope, headers)


def try_token(scope: Scope, given: str, token: str) -> bool | Response:
    """Whether `given` is the token; or, after too many wrong ones from that address, the answer that says so without
    looking at it."""
    patience, address = scope["app"].state.patience, (scope.get("client") or ("unknown",))[0]
    if seconds := patience.wait(address):
        message, remedy = "Too many wrong tokens came from this address.", f"Try again in {seconds} seconds."
        info = ErrorInfo(code="too_many_attempts", message=message, remedy=remedy)
        return render(scope["path"], 429, info, {"Retry-After": str(seconds)})
    if same(given, token):
        return True
    patience.note_wrong(address)
    return False


def _given(path: str, headers: Headers) -> str | None:
    """The token that a program sends; None when it sends none."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and TAKE_BASIC.fullmatch(path):
        return _password(given)
    return given.strip() if scheme.lower() == "bearer" else None


def _password(given: str) -> str:
    """That of HTTP Basic, whatever the name beside it; empty for what cannot be read."""
    try:
        pair = base64.b64decode(given.strip())
    except binascii.Error:
        return ""
    try:
        text = pair.decode()
    except UnicodeDecodeError:  # `requests`, which webuiapi uses, writes Latin-1
        text = pair.decode("latin-1")
    return text.partition(":")[2]


def session_value(token: str) -> str:
    """What the cookie holds instead of the token: it proves knowledge of the token and ends with it."""
    return hmac.new(token.encode(), b"darkroom session", hashlib.sha256).hexdigest()


def same(given: str, secret: str) -> bool:
    """Whether both are equal, in a time that does not tell how much of `given` was right."""
    return hmac.compare_digest(given.encode(), secret.encode())


def _name(url: str) -> str:
    """The host name of `url`, with the brackets of an IPv6 address as browsers and the setting write it."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _cookie(headers: Headers, name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _ask_for_token(scope: Scope, headers: Headers) -> Response:
    """The form for a person, 401 for a program."""
    if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return RedirectResponse(f"/login?next={quote(scope['path'])}", 303)
    other = ", or that value as the password" if TAKE_BASIC.fullmatch(scope["path"]) else ""
    remedy = f"Send “Authorization: Bearer …” with the value of DARKROOM_TOKEN{other}."
    info = ErrorInfo(code="token_needed", message="This studio asks for a token.", remedy=remedy)
    return render(scope["path"], 401, info, {"WWW-Authenticate": "Bearer"})


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive`, refusing a body that grows beyond `most` bytes without having announced its length."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise HTTPException(413, f"The body is larger than {most} bytes")
        return message

    return bounded


def _naming_the_client(scope: Scope, send: Send) -> Send:
    """`send`, giving a browser that opens a page the cookie by which it finds its jobs again."""
    headers = Headers(scope=scope)
    if "text/html" not in headers.get("accept", "") or _cookie(headers, CLIENT_COOKIE):
        return send

    async def naming(message: Message) -> None:
        if message["type"] == "http.response.start":
            value = f"{CLIENT_COOKIE}={uuid.uuid4().hex}; Path=/; Max-Age={YEAR_SECONDS}; HttpOnly; SameSite=Lax"
            MutableHeaders(scope=message).append("set-cookie", value)
        await send(message)

    return naming
