"""What a newcomer sees: an empty sheet of paper and a few ideas."""

from __future__ import annotations

import streamlit as st

from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui import actions


def show(studio: Studio, client: str, record: ModelRecord) -> None:
    """A frame in the shape of the coming picture, and prompts to click."""
    width, height = record.size.native
    st.html(
        f'<div class="paper" style="aspect-ratio:{width}/{height}"><div>'
        "<h2>Nothing has been developed yet</h2>"
        "<p>Describe a picture in the sidebar, or begin with one of these.</p></div></div>"
    )
    with st.container(horizontal=True, gap="small", key="examples"):
        for example in record.examples:
            st.button(example, on_click=actions.try_example, args=(studio, client, example))
