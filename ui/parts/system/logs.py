"""The logs of the last jobs."""

from __future__ import annotations

import streamlit as st

from pipeline.jobs.log import LogLine
from pipeline.jobs.state import JobState
from pipeline.studio import Studio
from ui.parts import text
from ui.parts.system import line

JOBS = 30


def draw(studio: Studio, client: str) -> None:
    """A job to choose, and what happened to it."""
    st.html('<h2 class="head">Logs</h2>')
    jobs = {job.id: job for job in studio.jobs(limit=JOBS) if studio.log(job.id)}
    if not jobs:
        st.html('<p class="row">No job since the studio started.</p>')
        return
    begun = next((place for place, job in enumerate(jobs.values()) if job.status != "queued"), 0)
    chosen = st.selectbox(
        "Job", list(jobs), index=begun, format_func=lambda job_id: _label(jobs[job_id], client), key="log-job"
    )
    if chosen in jobs:
        st.html(_lines(studio.log(chosen), jobs[chosen].client == client))


def _label(job: JobState, client: str) -> str:
    return f"{job.created_at.astimezone():%H:%M:%S} · {line.words(job, client)} · {job.status}"


def _lines(found: tuple[LogLine, ...], mine: bool) -> str:
    """The lines as a table. What libraries printed may repeat a prompt, so it is shown to the job's owner alone."""
    shown = [one for one in found if mine or one.level != "printed"]
    rows = "".join(
        f'<tr class="{one.level}"><th scope="row"><time>{one.time.astimezone():%H:%M:%S}</time></th>'
        f"<td>{text.plain(one.text)}</td></tr>"
        for one in shown
    )
    return f'<div class="log" tabindex="0" role="region" aria-label="Log of the job"><table>{rows}</table></div>'
