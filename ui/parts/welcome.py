"""What a newcomer sees: an empty sheet of paper and a few ideas."""

from __future__ import annotations

import streamlit as st

from pipeline.models.registry import ModelRecord
from ui.parts import controls

EXAMPLES = (
    "a red house by the sea at sunset",
    "a hot-air balloon over the mountains",
    "a lighthouse in the fog",
    "a cactus in the desert at night",
    "a ghost town in the style of a Wes Anderson movie",
)


def show(record: ModelRecord) -> None:
    """A frame in the shape of the coming picture, and prompts to click."""
    width, height = record.size.native
    st.html(
        f'<div class="paper" style="aspect-ratio:{width}/{height}"><div>'
        "<h2>Nothing has been developed yet</h2>"
        "<p>Describe a picture in the sidebar, or begin with one of these.</p></div></div>"
    )
    with st.container(horizontal=True, gap="small", key="examples"):
        for example in EXAMPLES:
            st.button(example, on_click=controls.use_prompt, args=(example,))
