"""What can be made from a picture of the gallery; all of it goes on in Create."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.studio import Studio
from ui import actions, either, shared
from ui.parts import enlarge, source

CREATE = "create.py"


def draw(studio: Studio, image: SavedImage) -> None:
    """The ways to work from it, as far as its model has them, and to enlarge it."""
    with st.popover("Work from this", icon=":material/brush:", width="stretch", key="gallery-work-from"):
        record = actions.record_of(studio, image)
        for way in either.ways(record):
            if st.button(source.LONG_NAMES[way], width="stretch", key=f"gallery-work-{way}"):
                st.switch_page(CREATE, query_params={"image": image.id, "work": way})
        enlarger = actions.enlarger_of(studio, image)
        upscaler = enlarge.choice(studio, enlarger, f"gallery-enlarge-with-{enlarger.id}")
        for factor in (2, 4):
            if st.button(f"Enlarge × {factor}", width="stretch", key=f"gallery-enlarge-{factor}"):
                _enlarge(studio, image, factor, upscaler)


def _enlarge(studio: Studio, image: SavedImage, factor: int, upscaler: str) -> None:
    """Queue it, and go where it is followed, or where is told what was in the way."""
    client = shared.client()
    actions.begin(studio, client)
    actions.enlarge(studio, client, image, factor, upscaler)
    queued = {"job": st.query_params["job"]} if st.session_state.problem is None else {"image": image.id}
    st.switch_page(CREATE, query_params=queued)
