"""The doctor's page: what is going on, whether this machine can do its work, and what to send when it cannot."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui import shared
from ui.parts import engine
from ui.parts.system import checks, disk, live, logs, report, workers

studio, client = shared.studio(), shared.client()

st.html(Path(__file__).parent / "assets" / "system.css")
st.title("System")
engine.trouble(studio)

with st.container(key="live-system"):
    live.draw(studio, client)
with st.container(horizontal=True):
    workers.ending(studio)

logs.draw(studio, client)

with st.spinner("Looking at the machine …"):
    found = studio.doctor()
left, right = st.columns([3, 2], gap="large")
with left:
    checks.draw(found)
with right:
    disk.draw(studio)
    report.draw(studio, found)
