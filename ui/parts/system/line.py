"""Everybody's unfinished jobs. What others ask for is theirs to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pipeline.jobs.state import JobState
from ui.parts import text

SHOWN = 10
WORDS = {"queued": "waits", "loading": "loading", "running": "running"}


def draw(jobs: Sequence[JobState], client: str) -> None:
    """The jobs in the order in which they run, and how many more there are."""
    st.html('<h2 class="head">Queue</h2>')
    if not jobs:
        st.html('<p class="row">Nothing runs and nothing waits.</p>')
        return
    rows = "".join(_row(job, client) for job in jobs[:SHOWN])
    more = f'<p class="row">and {len(jobs) - SHOWN} more</p>' if len(jobs) > SHOWN else ""
    st.html(f'<p class="row">{text.plain(_summary(jobs, client))}</p><ol class="line">{rows}</ol>{more}')


def words(job: JobState, client: str) -> str:
    """A job in a few words: its prompt for its owner, and no more than that it is somebody's for others."""
    return text.clipped(job.request.prompt, 60) if job.client == client else "somebody’s job"


def _summary(jobs: Sequence[JobState], client: str) -> str:
    people = Counter(job.client for job in jobs)
    jobs_said = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    owners = "1 person" if len(people) == 1 else f"{len(people)} people"
    return f"{jobs_said} of {owners}, {people[client]} of them yours"


def _row(job: JobState, client: str) -> str:
    mine = " mine" if job.client == client else ""
    now = job.progress
    step = f", step {now.step} of {now.steps}" if now.steps else f", at {now.provider}" if now.provider else ""
    return (
        f'<li class="{job.status}{mine}"><b>{job.position or "▸"}</b><span>{text.plain(words(job, client))}</span>'
        f"<small>{WORDS.get(job.status, job.status)}{text.plain(step)}</small></li>"
    )
