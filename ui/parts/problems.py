"""What is wrong with the form, told where it can be put right."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import ErrorInfo
from ui.parts import text

state = st.session_state


def begin() -> None:
    """Forget where problems were told the last time."""
    state.told = set()


def under(*fields: str) -> None:
    """Say what is wrong with these fields, if one of them is what the last click complained about."""
    problem: ErrorInfo | None = state.problem
    state.told.update(fields)
    if problem is not None and problem.field in fields:
        _say(problem)


def elsewhere() -> None:
    """Say what the last click complained about, if no control for it was drawn."""
    problem: ErrorInfo | None = state.problem
    if problem is not None and problem.field not in state.told:
        _say(problem)


def _say(problem: ErrorInfo) -> None:
    st.html(f'<p class="problem" role="alert">{text.plain(problem.sentence)}</p>')
