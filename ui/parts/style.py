"""The style that is put around the prompt, and what is really sent because of it."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.models.registry import Model
from pipeline.studio import Studio
from ui import actions, presets
from ui.parts import text

state = st.session_state


def draw(studio: Studio, record: Model) -> None:
    """The styles that suit the model; a file of styles that is wrong is told here."""
    wrong = ""
    try:
        known = actions.styles(studio, record)
    except DarkroomError as error:
        known, wrong = presets.styles(record), error.info.sentence
    if state.style not in known:
        state.style = presets.NO_STYLE
    names = [presets.NO_STYLE, *known]
    st.selectbox("Style", names, key="style", format_func=lambda name: name or "None", persist_state="session")
    with st.container():
        if wrong:
            st.html(f'<p class="problem" role="alert">{text.plain(wrong)}</p>')
    with st.container(key="sends"):
        if state.style and state.prompt.strip():
            _sends(known[state.style], record)


def _sends(style: presets.Style, record: Model) -> None:
    """The words that the model gets."""
    sent = presets.sent(state, style)
    without = f"<br>Without: {text.plain(sent['negative_prompt'])}" if record.negative_prompt and style.negative else ""
    st.html(f'<p class="sends"><b>Sends:</b> {text.plain(sent["prompt"])}{without}</p>')
