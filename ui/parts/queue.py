"""The other unfinished jobs of this client: those that run, those that wait, and what can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pipeline.errors import DarkroomError, NotFound
from pipeline.jobs.state import JobState
from pipeline.studio import Studio
from ui.parts import text
from ui.parts.told import told

HERE = Path(__file__).parent
SECONDS = 2.0
SHOWN = 8
"""Jobs in the list until somebody asks for all."""
MOVES = ("earlier", "later")

_list = st.components.v2.component(
    "darkroom_queue",
    html=(HERE / "queue.html").read_text(encoding="utf-8"),
    css=(HERE / "queue.css").read_text(encoding="utf-8"),
    js=(HERE / "queue.js").read_text(encoding="utf-8"),
)
state = st.session_state


def show(studio: Studio, client: str, watched: JobState | None) -> None:
    """The client's jobs but for the one that is `watched`; looks again every other second while there are some."""
    place = st.container(key="live-queue")
    if not _others(studio.queue(client=client), watched):
        return

    @st.fragment(run_every=SECONDS, key="queue")
    def draw() -> None:
        mine = studio.queue(client=client)
        if not _others(mine, watched) or _overtaken(watched, mine, client):
            st.rerun()
        data = _data(_others(mine, watched), mine, studio.others_before(client))
        _list(key="queue-list", data=data, on_asked_change=lambda: _do(studio, client))

    with place:
        draw()


def _others(mine: Sequence[JobState], watched: JobState | None) -> list[JobState]:
    return [job for job in mine if watched is None or job.id != watched.id]


def _overtaken(watched: JobState | None, mine: Sequence[JobState], client: str) -> bool:
    """Whether the page follows a job of this client that waits, while another one now comes before it."""
    if watched is None or watched.status != "queued" or watched.client != client:
        return False
    return mine[0].id != watched.id


def _do(studio: Studio, client: str) -> None:
    """What a button of the list asks for. It can only be about this client's own jobs."""
    asked = told("queue-list", "asked")
    if asked is None:
        return
    if asked["what"] == "all":
        _cancel_all(studio, client)
    elif asked["what"] == "more":
        state["queue-shows-all"] = not state.get("queue-shows-all", False)
    else:
        _do_with(studio, client, str(asked["id"]), asked["what"])


def _do_with(studio: Studio, client: str, job_id: str, what: str) -> None:
    try:
        job = studio.job(job_id)
        if job.state.client == client and what == "cancel":
            job.cancel()
        elif job.state.client == client and what in MOVES:
            job.move("earlier" if what == "earlier" else "later")
    except NotFound:  # from before the outputs folder was changed
        return
    except DarkroomError as error:
        state.problem = error.info


def _cancel_all(studio: Studio, client: str) -> None:
    jobs = studio.queue(client=client)
    for job in reversed(jobs):  # those that wait first, so that none of them begins
        studio.job(job.id).cancel()
    st.toast(f"{len(jobs)} jobs are cancelled. Pictures that were finished are kept.")


def _data(jobs: Sequence[JobState], mine: Sequence[JobState], others: int) -> dict[str, Any]:
    """What the list shows of `jobs`: its first rows, or all of them. `mine` are those and the one that is followed."""
    usual, everything = state.get("model"), bool(state.get("queue-shows-all"))
    waiting = [job.id for job in mine if job.status == "queued"]
    # A tuple, since Streamlit brings pandas in, and its 70 MB, to see whether a list is a table.
    rows = tuple(_row(job, usual, waiting) for job in (jobs if everything else jobs[:SHOWN]))
    return {
        "rows": rows,
        "count": len(jobs),
        "waiting": len(waiting),
        "others": others,
        "all": everything and len(jobs) > SHOWN,
    }


def _row(job: JobState, usual: str | None, waiting: Sequence[str]) -> dict[str, Any]:
    count = job.request.num_pictures
    about = [
        job.model if job.model != usual else "",
        f"{count} pictures" if count > 1 else "",
        "" if job.status == "queued" else _doing(job),
    ]
    return {
        "id": job.id,
        "place": job.position,
        "words": text.clipped(job.request.prompt, 60),
        "prompt": job.request.prompt,
        "about": " · ".join(part for part in about if part),
        "done": _done(job),
        "picture": text.thumbnail_url(job.images[-1].id) if job.images else "",
        "first": job.id in waiting[:1],
        "last": job.id in waiting[-1:],
    }


def _doing(job: JobState) -> str:
    """What a job that has begun is at, in a few words."""
    now = job.progress
    if now.provider:
        return text.elsewhere(now)
    if now.steps:
        left = text.left(now.seconds_left) if now.seconds_left is not None and now.seconds_left >= 1 else ""
        return f"step {now.step} of {now.steps}" + (f", {left}" if left else "")
    return "downloading the model" if now.to_fetch else "loading the model"


def _done(job: JobState) -> float | None:
    """How much of a job that has begun is done, from 0 to 1; None for one that waits."""
    if job.status == "queued":
        return None
    now = job.progress
    if now.provider:
        return len(job.images) / job.request.num_pictures
    return (now.image_index + now.step / now.steps) / job.request.num_pictures if now.steps else 0.0
