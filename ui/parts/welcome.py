"""What a newcomer sees: an empty sheet of paper and ideas to begin with."""

from __future__ import annotations

import streamlit as st

from pipeline.models.registry import Model
from pipeline.studio import Studio
from ui import actions, form, presets
from ui.parts import ideas

_ACROSS = 96
"""Width of the outline of the coming picture, in pixels, when it is square."""


def show(studio: Studio, client: str, record: Model) -> None:
    """A frame in the shape of the coming picture, and prompts to click: each is made at once."""
    width, height = form.size_of(st.session_state)
    scale = _ACROSS / (width * height) ** 0.5
    sides = f"width:{width * scale:.0f}px;height:{height * scale:.0f}px"
    st.html(
        f'<div class="empty"><div class="paper" style="{sides}" aria-hidden="true"></div><div>'
        "<h2>Nothing has been developed yet</h2>"
        "<p>Describe a picture in the sidebar, or begin with one of these.</p></div></div>"
    )

    def make(prompt: str) -> None:
        actions.try_example(studio, client, prompt)

    with st.container(key="examples"):
        columns = st.columns(len(presets.ideas(record)), gap="large")
        ideas.groups("example", record, make, columns)
