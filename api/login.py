"""The form at which a person gives the token, for studios that ask for one."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access import StudioDep
from api.security import SESSION_COOKIE, YEAR_SECONDS, session_value, try_token

router = APIRouter(include_in_schema=False)
_PAGE = Template(Path(__file__).with_name("login.html").read_text(encoding="utf-8"))


@router.get("/login")
async def form(target: Annotated[str, Query(alias="next")] = "/") -> HTMLResponse:
    """Ask for the token."""
    return _page(target)


@router.post("/login")
async def login(
    request: Request,
    studio: StudioDep,
    token: Annotated[str, Form()] = "",
    target: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check the token, and let the browser in with a cookie that scripts cannot read."""
    wanted = studio.settings.token.get_secret_value() if studio.settings.token else ""
    tried = bool(wanted) and try_token(request.scope, token, wanted)
    if isinstance(tried, Response):
        return _page(target, "Too many wrong tokens. Wait a minute.", 429)
    if not tried:
        return _page(target, "That is not the token.", 401)
    response = RedirectResponse(target if _is_local_path(target) else "/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        SESSION_COOKIE, session_value(wanted), YEAR_SECONDS, httponly=True, samesite="lax", secure=secure
    )
    return response


def _page(target: str, problem: str = "", status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.substitute(target=html.escape(target), problem=problem), status)


def _is_local_path(target: str) -> bool:
    """A path on this server: neither another site nor the `//host` and `/\\host` that browsers take for one."""
    return target.startswith("/") and target[1:2] not in {"/", "\\"}
