"""What changes by the second: the workers, the memory of the machine, and the queue of everybody."""

from __future__ import annotations

import streamlit as st

from pipeline.studio import Studio
from ui.parts.system import line, machine, workers

SECONDS = 2.0


@st.fragment(run_every=SECONDS, key="system-live")
def draw(studio: Studio, client: str) -> None:
    """Looks again every other second; the browser asks for it, so only while somebody has the page open."""
    jobs = {job.id: job for job in studio.queue()}
    left, right = st.columns([3, 2], gap="large")
    with left:
        workers.draw(studio, client, jobs)
        line.draw(list(jobs.values()), client)
    with right:
        machine.draw(studio)
