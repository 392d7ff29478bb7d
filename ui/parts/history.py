"""What this client asked for before: distinct prompts, newest first, to be taken again."""

from __future__ import annotations

import streamlit as st

from pipeline.jobs.state import JobState
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import actions
from ui.parts import text

POPOVER = "history"
REMEMBERED = 200
"""Jobs that are looked through."""
SHOWN = 12
"""Prompts at once; a search finds the others."""
state = st.session_state


def popover(studio: Studio, client: str) -> None:
    """The prompts behind a button. They are read only while it is open."""
    with st.popover("History", icon=":material/history:", type="tertiary", key=POPOVER, on_change="rerun") as box:
        if box.open:
            _list(studio, client)


def distinct(jobs: list[JobState], words: str = "") -> list[JobState]:
    """The newest job of each prompt that has all of `words` in it."""
    newest: dict[str, JobState] = {}
    for job in jobs:
        newest.setdefault(job.request.prompt, job)
    wanted = words.casefold().split()
    return [job for prompt, job in newest.items() if all(word in prompt.casefold() for word in wanted)]


def _list(studio: Studio, client: str) -> None:
    words = st.text_input(
        "Search your prompts", key="history-search", placeholder="Search your prompts", label_visibility="collapsed"
    )
    jobs = distinct(studio.jobs(client=client, limit=REMEMBERED), words)
    with st.container(key="history-list", gap="xsmall"):
        for job in jobs[:SHOWN]:
            _row(studio, job)
        st.html(f'<p class="tokens">{_count(len(jobs), words)}</p>')


def _row(studio: Studio, job: JobState) -> None:
    request = job.request.model_copy(update={"model": job.model, "seed": job.seed})
    words = text.escaped(text.clipped(job.request.prompt, 90))
    with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center", key=f"past-{job.id}", wrap=False):
        st.button(words, key=f"words-{job.id}", on_click=_take_words, args=(job.request.prompt,), width="stretch")
        st.button(
            f"All settings of “{words}”",
            icon=":material/replay:",
            type="tertiary",
            key=f"all-{job.id}",
            help="Take all its settings, the seed too",
            on_click=_take_all,
            args=(studio, request),
        )


def _count(found: int, words: str) -> str:
    if not found:
        return "No prompt has these words." if words.strip() else "Nothing was asked for yet."
    return f"{SHOWN} of {found}; search for the others." if found > SHOWN else f"{found} in all"


def _take_words(prompt: str) -> None:
    actions.write(prompt)
    state[POPOVER] = False


def _take_all(studio: Studio, request: GenerationRequest) -> None:
    actions.fill(studio, request)
    state[POPOVER] = False
