"""Settings out of a picture's file: the place to drop it, and the report of what could not be had."""

from __future__ import annotations

import streamlit as st

from pipeline.studio import Studio
from ui import actions
from ui.parts import problems, text

POPOVER = "from-file"
KINDS = ("png", "jpg", "jpeg", "webp")
state = st.session_state


def popover(studio: Studio) -> None:
    """The place to drop a picture, behind a button."""
    with st.popover("From a file", icon=":material/file_open:", type="tertiary", key=POPOVER):
        key = f"file-{state.setdefault('files_read', 0)}"  # another each time, so that no file is kept once it is read

        def read() -> None:
            if (file := state.get(key)) is None:
                return
            actions.take_settings(studio, file.name, file.getvalue())
            state.files_read += 1
            if state.problem is None:
                state[POPOVER] = False

        st.html('<p class="card drop">Drop a picture to take its settings: of Darkroom, AUTOMATIC1111 and its kin.</p>')
        st.file_uploader(
            "A picture with its settings", type=KINDS, key=key, on_change=read, label_visibility="collapsed"
        )
        problems.under("file")


def report() -> None:
    """What was read, and what could not be: above the picture, until it is put away."""
    place = st.container(key="report")
    told = state.report
    if told is None:
        return
    notes = "".join(f"<li>{text.plain(note)}</li>" for note in told.notes)
    words = f"The form has the settings of <b>{text.plain(told.name)}</b>"
    with place, st.container(border=True, horizontal=True, wrap=False, key="report-box"):
        st.html(
            f'<div role="status" class="report"><p>{words}{", but for these:" if notes else ", all of them."}</p>'
            f"{f'<ul>{notes}</ul>' if notes else ''}</div>"
        )
        st.button(
            "Put the report away",
            icon=":material/close:",
            type="tertiary",
            key="row-report",
            on_click=actions.close_report,
        )
