"""What is wrong with the form, told where it can be put right.

Each place is there even when nothing is told in it. Otherwise all that follows would move when something is, and the
browser would build it anew: a button that is pressed at that moment never hears that it was let go.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

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
    place = st.container()
    if problem is not None and problem.field in fields:
        _say(place, problem)


def elsewhere() -> None:
    """Say what the last click complained about, if no control for it was drawn."""
    problem: ErrorInfo | None = state.problem
    place = st.container()
    if problem is not None and problem.field not in state.told:
        _say(place, problem)


def _say(place: DeltaGenerator, problem: ErrorInfo) -> None:
    place.html(f'<p class="problem" role="alert">{text.plain(problem.sentence)}</p>')
