"""One model among many: what it is, whether it fits, and what can be done with its files."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.models.planning.plan import Plan
from pipeline.models.registry import ModelRecord
from pipeline.request import GenerationRequest
from pipeline.studio import Studio
from ui import actions
from ui.parts import text, weights

CHOICES = ("All", "Here", "Fits this machine")
_CREATE = Path(__file__).parents[1] / "create.py"


def plan_of(studio: Studio, record: ModelRecord) -> Plan | None:
    """How the model would run with its own defaults; None where that cannot be said."""
    try:
        return studio.plan(GenerationRequest(prompt="a plan", model=record.id))
    except DarkroomError:
        return None


def is_wanted(studio: Studio, record: ModelRecord, plan: Plan | None, choice: str | None) -> bool:
    """Whether a choice of `CHOICES` shows the model; no choice shows all."""
    if choice == CHOICES[1]:
        return weights.here(studio, record)
    return choice != CHOICES[2] or (plan is not None and plan.fits)


def draw(studio: Studio, record: ModelRecord, plan: Plan | None) -> None:
    """The model as one row."""
    with st.container(border=True, key=f"model-{record.id}"):
        about, figures, ways = st.columns([5, 4, 3], gap="medium")
        with about:
            _about(record)
        with figures:
            _figures(record, plan)
        with ways:
            _ways(studio, record)


def _about(record: ModelRecord) -> None:
    st.html(
        f'<h3 class="head">{text.plain(record.name)}</h3><p class="path">{text.plain(record.id)}</p>'
        f'<p class="card">{text.plain(record.summary)}</p>'
    )
    if record.notes:
        with st.expander("Good to know", type="compact", key=f"notes-{record.id}"):
            st.html(f'<ul class="notes">{"".join(f"<li>{text.plain(note)}</li>" for note in record.notes)}</ul>')


def _figures(record: ModelRecord, plan: Plan | None) -> None:
    facts = {
        "Size": text.parameters(record),
        "Licence": text.licence(record),
        "Commercial use": record.licence.commercial,
    }
    if plan is not None and plan.weight_bytes:
        facts["Weights"] = f"{text.size(plan.weight_bytes)}, {_held(plan)}"
    if plan is not None and plan.download_bytes:
        facts["To download"] = f"{text.size(plan.download_bytes)}, {text.size(plan.disk_free_bytes)} free"
    rows = "".join(
        f"<dt>{name}</dt><dd>{words if name == 'Licence' else text.plain(words)}</dd>" for name, words in facts.items()
    )
    st.html(text.plan(plan) + f'<dl class="recipe">{rows}</dl>')


def _held(plan: Plan) -> str:
    return {"none": plan.dtype, "int8": "in eight bits"}.get(plan.quantization, "in four bits")


def _ways(studio: Studio, record: ModelRecord) -> None:
    st.page_link(_CREATE, label="Use", icon=":material/photo_camera:", query_params={"model": record.id})
    weights.draw(studio, record)
    if studio.models.is_fetched(record.id):
        size = text.size(studio.models.inventory(record.id).bytes_here)
        with st.popover("Delete files", icon=":material/delete:", width="stretch", key=f"delete-{record.id}"):
            st.write(f"{size} can be downloaded again. Pictures stay.")
            _button("Delete", f"deleted-{record.id}", actions.remove_files, studio, record)
    if studio.models.is_added(record.id):
        _button("Forget", f"forget-{record.id}", actions.forget, studio, record)


def _button(label: str, key: str, action: object, studio: Studio, record: ModelRecord) -> None:
    st.button(label, key=key, on_click=action, args=(studio, record.id), width="stretch")
