"""The sidebar on a phone: a button on the page that opens it, and closing it when a job begins."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_drawer = st.components.v2.component(
    "darkroom_drawer",
    html='<button type="button"><span aria-hidden="true">✎</span> Describe a picture</button>',
    css=(HERE / "drawer.css").read_text(encoding="utf-8"),
    js=(HERE / "drawer.js").read_text(encoding="utf-8"),
)


def draw() -> None:
    """The button, which a narrow screen shows; the sidebar is shut there when this session has begun another job."""
    with st.container(key="drawer"):
        _drawer(key="sidebar-drawer", data={"begun": st.session_state.jobs_begun})
