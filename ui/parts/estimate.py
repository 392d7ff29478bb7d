"""What a click on the button would take, on the button's own line: time, wait and memory."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.estimate import Estimate
from pipeline.models.registry import Model
from pipeline.studio import Studio
from ui import actions, either
from ui.parts import text


def line(studio: Studio, client: str, record: Model) -> None:
    """One line that is there always; it says so where the time is not known."""
    request = either.without_prompt(actions.sent(studio, record), record)
    try:
        found = studio.estimate(request, client=client) if request else None
    except DarkroomError:  # what stands against the request is told when it is made
        found = None
    words = said(found)
    why = text.plain(f"The time is {found.basis}." if found else "")
    st.html(f'<p class="estimate" title="{why}">{text.plain(words)}</p>')


def said(found: Estimate | None) -> str:
    """An estimate in a few words."""
    if found is None:
        return "Time not known yet"
    time = "time not known yet" if found.seconds is None else text.duration(found.seconds)
    wait = f"after {text.duration(found.waits)} of waiting" if found.waits else ""
    memory = text.size(found.memory_bytes) if found.memory_bytes else ""
    words = " · ".join(part for part in (time, wait, memory) if part)
    return words[0].upper() + words[1:]
