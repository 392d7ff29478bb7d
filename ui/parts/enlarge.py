"""Whether a picture is enlarged, by what, and whether it is drawn over at its new size."""

from __future__ import annotations

import streamlit as st

from pipeline.models.extent import finished_size
from pipeline.models.registry import ModelRecord
from pipeline.studio import Studio
from ui import either
from ui.fields import KEEP
from ui.parts import one_of, problems, text

state = st.session_state
FACTORS = {1: "No", 2: "× 2", 4: "× 4"}


def draw(studio: Studio, record: ModelRecord) -> None:
    """One row, and under it by what, the size that comes of it, and the strength for models that can draw over it."""
    named = FACTORS.get(state.enlarge, f"× {state.enlarge}")
    one_of.draw("Enlarge", FACTORS | {state.enlarge: named}, "enlarge")
    with st.container():
        if state.enlarge > 1:
            choice(studio, record, "upscaler")
            _becomes(record)
        if state.enlarge > 1 and record.draws_over:
            advice = "How much the model draws over afterwards at the new size, which brings detail; 0 is nothing."
            st.slider("Refine", 0.0, 0.6, step=0.05, key="refine", help=advice, **KEEP)
    problems.under("upscale")


def choice(studio: Studio, record: ModelRecord, key: str) -> str:
    """By what pictures of the model are enlarged, its own first; one that is not here any more stays chosen."""
    sentences = {one.name: one.sentence for one in studio.models.upscalers() if not one.refusal}
    chosen: str = state.setdefault(key, record.upscaler)
    names = dict.fromkeys([record.upscaler, *sentences, chosen])
    advice = " ".join(f"**{text.escaped(name)}**: {text.escaped(said)}" for name, said in sentences.items())
    return str(st.selectbox("Upscaler", names, key=key, help=advice, **KEEP))


def _becomes(record: ModelRecord) -> None:
    """The size of the finished picture, once everything else in the form is right."""
    place = st.container()
    request = either.without_prompt(state, record)
    if request is not None:
        width, height = finished_size(request, record.size)
        place.html(f'<p class="tokens left">Becomes {width} × {height}</p>')
