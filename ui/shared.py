"""The studio of this process, handed over by `app.py`, and who is looking."""

from __future__ import annotations

import uuid
from typing import NamedTuple

import streamlit as st

from pipeline.studio import Studio


class _Held(NamedTuple):
    studio: Studio
    client_cookie: str


_held: list[_Held] = []


def hold(studio: Studio, client_cookie: str) -> None:
    """Make `studio` the one that every page uses; `client_cookie` names the browser."""
    _held[:] = [_Held(studio, client_cookie)]


def studio() -> Studio:
    """The one studio of this process."""
    return _held[0].studio


def client() -> str:
    """Who is looking: one name for all tabs of a browser, so that each finds the others' jobs."""
    fallback: str = st.session_state.setdefault("client", uuid.uuid4().hex)
    return st.context.cookies.get(_held[0].client_cookie) or fallback
