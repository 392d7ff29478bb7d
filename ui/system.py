"""The doctor's page: whether this machine and this installation can do their work, and what is going on."""

from __future__ import annotations

import streamlit as st

from ui import shared
from ui.parts import engine, text

studio = shared.studio()
state = studio.engine

st.title("System")
engine.trouble(studio)

left, right = st.columns([3, 2], gap="large")

with left:
    st.subheader("Checks")
    with st.spinner("Looking at the machine …"):
        checks = studio.doctor()
    for check in checks:
        mark = {True: "fine", False: "wrong", None: "open"}[check.ok]
        remedy = f"<p>{text.plain(check.remedy)}</p>" if check.remedy else ""
        st.html(
            f'<div class="check {mark}"><i role="img" aria-label="{mark}"></i><div>'
            f"<b>{text.plain(check.name)}</b><p>{text.plain(check.finding)}</p>{remedy}</div></div>"
        )
    st.button("Look again", icon=":material/refresh:")

with right:
    st.subheader("Engine")
    loaded = f", holding {state.model}" if state.model else ""
    st.html(f'<p class="row">{text.plain(engine.WORDS[state.status] + loaded)}</p>')
    rows = "".join(
        f"<dt>{text.plain(device.label)}</dt>"
        f"<dd>{device.memory_free / 1e9:.1f} of {device.memory_total / 1e9:.1f} GB free</dd>"
        for device in state.hardware.devices
    )
    st.html(f'<dl class="recipe">{rows}</dl>')
    st.subheader("Queue")
    jobs = studio.queue()
    lines = "".join(
        f"<dt>{job.position or job.status}</dt><dd>{text.plain(text.clipped(job.request.prompt, 60))}</dd>"
        for job in jobs
    )
    st.html(f'<dl class="recipe">{lines}</dl>' if jobs else '<p class="row">Nothing waits.</p>')
    if state.versions:
        st.subheader("Versions")
        lines = "".join(f"<dt>{name}</dt><dd>{text.plain(version)}</dd>" for name, version in state.versions.items())
        st.html(f'<dl class="recipe">{lines}</dl>')
