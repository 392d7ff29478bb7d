"""Whether the finished picture is enlarged, and drawn over at its new size."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pipeline.models.registry import ModelRecord
from ui import form
from ui.parts import problems

state = st.session_state
KEEP: dict[str, Any] = {"persist_state": "session"}
FACTORS = {1: "No", 2: "× 2", 4: "× 4"}


def draw(record: ModelRecord) -> None:
    """One row, and under it the strength for models that can draw over what is enlarged."""
    st.segmented_control(
        "Enlarge",
        list(dict.fromkeys([*FACTORS, state.enlarge])),
        key="enlarge",
        format_func=lambda factor: FACTORS.get(factor, f"× {factor}"),
        required=True,
        width="stretch",
        **KEEP,
    )
    with st.container():
        if state.enlarge > 1 and form.refines(record):
            advice = "How much the model draws over afterwards at the new size, which brings detail; 0 is nothing."
            st.slider("Refine", 0.0, 0.6, step=0.05, key="refine", help=advice, **KEEP)
    problems.under("upscale")
