"""The workers: what each does, what it holds and what that takes; and the way to end one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from pipeline.jobs.state import JobState, WorkerState
from pipeline.studio import Studio
from ui import either
from ui.parts import text
from ui.parts.system import actions, line

WORDS = {
    "off": "Not started",
    "starting": "Starting",
    "loading": "Loading a model",
    "ready": "Ready",
    "busy": "Making a picture",
}


def draw(studio: Studio, client: str, jobs: Mapping[str, JobState]) -> None:
    """Every worker with its figures."""
    st.html('<h2 class="head">Workers</h2>')
    st.html("".join(_worker(studio, one, client, jobs) for one in studio.worker_states))


def ending(studio: Studio) -> None:
    """For each worker the button that ends it, behind a question."""
    states = studio.worker_states
    for one in states:
        name = f"worker {one.place + 1}" if len(states) > 1 else "the worker"
        with st.popover(f"Give the memory of {name} back", icon=":material/restart_alt:", key=f"end-{one.place}"):
            st.write(
                "Its process ends and another starts, which loads no model before it has a job. A picture that is "
                "being made begins again; finished ones stay."
            )
            st.button(
                f"End {name}",
                key=f"ended-{one.place}",
                on_click=actions.end_worker,
                args=(studio, one.place),
                type="primary",
            )


def _worker(studio: Studio, one: WorkerState, client: str, jobs: Mapping[str, JobState]) -> str:
    job = jobs.get(one.job_id) if one.job_id else None
    facts = {
        "Model": _model(studio, one),
        "Job": line.words(job, client) if job else "none",
        "Memory": text.size(one.memory_bytes) if one.memory_bytes else "–",
        "GPU memory": text.size(one.device_bytes) if one.device_bytes else "",
        "Process": _process(one),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{text.plain(words)}</dd>" for name, words in facts.items() if words)
    heading = " · ".join(part for part in (f"Worker {one.place + 1}", one.device) if part)
    return (
        f'<div class="worker {one.status}"><p class="state"><i></i><b>{WORDS[one.status]}</b>'
        f'<span>{text.plain(heading)}</span></p><dl class="recipe">{rows}</dl></div>'
    )


def _model(studio: Studio, one: WorkerState) -> str:
    if one.model is None:
        return "none"
    held = {"none": "", "int8": ", in eight bits"}.get(one.precision or "none", ", in four bits")
    return either.name_of(studio, one.model) + held


def _process(one: WorkerState) -> str:
    if one.pid is None or one.started_at is None:
        return "none"
    up = lasted((datetime.now(UTC) - one.started_at).total_seconds())
    replaced = {0: "", 1: ", replaced once"}.get(one.restarts, f", replaced {one.restarts} times")
    return f"{one.pid}, up {up}{replaced}"


def lasted(seconds: float) -> str:
    """How long something has lasted, in its two largest units."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if days >= 1:
        return f"{int(days)} d {int(hours % 24)} h"
    if hours >= 1:
        return f"{int(hours)} h {int(minutes % 60)} min"
    return f"{int(minutes)} min {int(seconds % 60)} s" if minutes >= 1 else f"{int(seconds)} s"
