"""The other unfinished jobs of this client, each with its place and a way to cancel it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pipeline.jobs.state import JobState
from pipeline.studio import Studio
from ui.parts import text

SECONDS = 2.0


def show(studio: Studio, waiting: Sequence[JobState]) -> None:
    """The list, which looks again every other second for as long as there is something in it."""
    if not waiting:
        return

    @st.fragment(run_every=SECONDS, key="queue")
    def draw() -> None:
        jobs = [studio.job(job.id).state for job in waiting]
        if [job.status for job in jobs] != [job.status for job in waiting]:
            st.rerun()
        st.html(f'<h3 class="head">Waiting <span>{len(jobs)}</span></h3>')
        for job in jobs:
            _row(studio, job)

    draw()


def _row(studio: Studio, job: JobState) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"row-{job.id}"):
        count = f" · {job.request.num_images} pictures" if job.request.num_images > 1 else ""
        words = text.plain(text.clipped(job.request.prompt, 60))
        st.html(f'<p class="row"><b>{job.position or "▸"}</b>{words}<small>{count}</small></p>')
        st.button(
            f"Cancel “{text.escaped(text.clipped(job.request.prompt, 40))}”",
            icon=":material/close:",
            type="tertiary",
            key=f"cancel-{job.id}",
            help="Cancel this job",
            on_click=studio.job(job.id).cancel,
        )
