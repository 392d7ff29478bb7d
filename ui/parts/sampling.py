"""How noise becomes a picture: steps, guidance and scheduler, of a model that runs here or in another Darkroom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pipeline.models import schedulers
from pipeline.models.registry import Model
from ui import form
from ui.fields import KEEP
from ui.parts import problems

state = st.session_state


def steps(record: Model) -> None:
    """How many, or that there is no choice; nothing where nothing is known of them."""
    steps = record.steps
    if steps is None:
        return
    if not form.takes_steps(record):
        _fixed("Inference steps", str(steps.default))
        return
    marks = [("quick draft", 20, 20), ("standard", 30, 40), ("high quality", 50, 50)]
    st.slider(
        "Inference steps",
        min(steps.min, state.num_inference_steps),
        max(steps.max, state.num_inference_steps),
        key="num_inference_steps",
        help="More steps take longer and show more detail." + _advice(marks, steps.min, steps.max),
        **KEEP,
    )
    problems.under("num_inference_steps")


def guidance(record: Model) -> None:
    """How closely the prompt is followed; only where there is a choice."""
    guidance = record.guidance
    if guidance is None or not form.takes_guidance(record):
        return
    marks = [("abstract", 3.0, 4.0), ("general", 4.5, 7.0), ("precise", 7.0, 8.0)]
    st.slider(
        "Guidance scale",
        float(min(guidance.min, state.guidance_scale)),
        float(max(guidance.max, state.guidance_scale)),
        step=0.1,
        format="%.1f",
        key="guidance_scale",
        help="How closely the picture follows the prompt." + _advice(marks, guidance.min, guidance.max),
        **KEEP,
    )
    problems.under("guidance_scale")


def scheduler(names: Sequence[str]) -> None:
    """How noise is taken away from step to step; only where `names`, the model's own first, are a choice."""
    if len(names) < 2:
        return
    own = f"{schedulers.label(names[0])}, the model's own"
    options = dict.fromkeys([form.OWN, *names[1:], state.scheduler])
    advice = "How noise becomes a picture, step by step. Another one draws another picture from the same seed."
    st.selectbox(
        "Scheduler",
        options,
        key="scheduler",
        format_func=lambda name: schedulers.label(name) if name else own,
        help=advice,
        **KEEP,
    )
    problems.under("scheduler")


def _advice(marks: list[tuple[str, Any, Any]], least: float, most: float) -> str:
    """The recommended settings that lie within the model's range, as a sentence."""
    fitting = [(name, max(low, least), min(high, most)) for name, low, high in marks if low <= most and high >= least]
    told = [f"{name} {low:g}" if low == high else f"{name} {low:g}–{high:g}" for name, low, high in fitting]
    return f" {', '.join(told).capitalize()}." if told else ""


def _fixed(name: str, value: str) -> None:
    """A setting of which the model leaves no choice."""
    st.html(f'<p class="fixed"><span>{name}</span><span>{value}</span></p>')
