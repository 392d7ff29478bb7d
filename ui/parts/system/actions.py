"""What the buttons of the System page do."""

from __future__ import annotations

import streamlit as st

from pipeline.studio import Studio
from ui.parts import text


def end_worker(studio: Studio, place: int) -> None:
    """End a worker, so that all its memory is given back; another takes its place."""
    studio.restart_worker(place)
    st.toast("The worker is ended, and a new one starts.")


def clear_cache(studio: Studio) -> None:
    """Delete the quantised components."""
    freed = studio.models.clear_cache()
    st.toast(f"{text.size(freed)} are free again.")
