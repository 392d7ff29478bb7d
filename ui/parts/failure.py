"""A job that failed: what, why, what next."""

from __future__ import annotations

import streamlit as st

from pipeline.jobs.state import JobState
from pipeline.studio import Studio
from ui import actions
from ui.parts import text


def show(studio: Studio, client: str, job: JobState) -> None:
    """The error in the place of the picture, with the button that tries again."""
    if job.error is None:
        return
    st.error(f"**{text.escaped(job.error.message)}**\n\n{text.escaped(job.error.remedy)}", icon=":material/error:")
    st.html(f'<p class="prompt">{text.plain(job.request.prompt)}</p>')
    with st.container(horizontal=True):
        st.button(
            "Retry",
            type="primary",
            icon=":material/replay:",
            key="retry",
            on_click=actions.retry,
            args=(studio, client, job.request),
        )
        st.button("Edit its settings", icon=":material/edit:", on_click=actions.fill, args=(studio, job.request))
    if job.error.details:
        with st.expander("Details"):
            st.code(job.error.details, language=None)
