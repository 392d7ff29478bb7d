"""Streamlit's entry: what frames every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

st.set_page_config(
    page_title="Darkroom", page_icon=str(HERE / "assets" / "icon.svg"), layout="wide", initial_sidebar_state=340
)
st.logo(str(HERE / "assets" / "logo.svg"), size="large")
st.html(HERE / "assets" / "style.css")

page = st.navigation(
    [
        st.Page(HERE / "create.py", title="Create", icon=":material/photo_camera:", default=True),
        st.Page(HERE / "gallery.py", title="Gallery", icon=":material/photo_library:", url_path="gallery"),
        st.Page(HERE / "compare.py", title="Compare", icon=":material/compare:", url_path="compare"),
        st.Page(HERE / "models.py", title="Models", icon=":material/deployed_code:", url_path="models"),
        st.Page(HERE / "system.py", title="System", icon=":material/monitor_heart:", url_path="system"),
    ],
    position="top",
)
if st.session_state.get("page") != page.url_path:  # what was wrong on another page is no concern of this one
    st.session_state.update(page=page.url_path, problem=None)
page.run()
