"""A comparison out of a file: a sheet that was downloaded, or the JSON of its folder."""

from __future__ import annotations

import streamlit as st

from pipeline.compare.grid import Comparison
from pipeline.studio import Studio
from ui.parts import problems, text
from ui.parts.compare import actions, start

state = st.session_state


def draw(studio: Studio, client: str) -> None:
    """The place for the file, and what would be done with it."""
    with st.popover("Replay from a file", icon=":material/upload_file:", width="stretch", key="compare-replay"):
        st.file_uploader(
            "A sheet (PNG) or a comparison (JSON)",
            type=["png", "json"],
            key="compare_file",
            on_change=actions.read_file,
        )
        problems.under(actions.FILE)
        held: Comparison | None = state.get("compare_file_holds")
        place = st.container()
        if held is not None:
            with place:
                _offer(studio, client, held)


def _offer(studio: Studio, client: str, held: Comparison) -> None:
    axes = "".join(
        f"<dt>{axis.name}</dt><dd>{text.plain(', '.join(axis.label(place) for place in range(len(axis.values))))}</dd>"
        for axis in held.axes
    )
    tally = start.summary(studio, client, held)
    st.html(
        f'<p class="prompt">{text.plain(held.base.prompt)}</p><dl class="recipe">{axes}</dl>'
        f'<p class="row">{text.plain(tally)}</p>'
    )
    with st.container(horizontal=True):
        st.button("Make these", type="primary", key="replay-start", on_click=actions.again, args=(studio, client, held))
        st.button("Into the form", key="replay-edit", on_click=actions.edit, args=(studio, held))
