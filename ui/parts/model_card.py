"""Which model, and what one should know before it runs: whether it fits, whether it is here, whose terms."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.models.files.stored import Inventory
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Model, ModelRecord
from pipeline.studio import Studio
from ui import actions, either, hosted, labels
from ui.fields import KEEP
from ui.parts import hosted_card, problems, text, weights

state = st.session_state


def draw(studio: Studio) -> Model:
    """The picker and what stands below it; returns the model that is chosen."""
    files = {record.id: studio.models.inventory(record.id) for record in studio.models.records}
    record = _picker(studio, files)
    if isinstance(record, HostedModel):
        problems.under("model")
        hosted_card.draw(studio, record)
        return record
    st.html(_plan(studio, record) + _why(studio, record))
    with st.container():
        weights.draw(studio, record, files[record.id])
    problems.under("model")
    _about(studio, record)
    return record


def _picker(studio: Studio, files: Mapping[str, Inventory]) -> Model:
    """What can run at once stands before what must be downloaded, the default first of all, and what is made elsewhere
    after all that."""
    default = studio.default.record.id
    ordered = sorted(studio.models.records, key=lambda one: (one.id != default, not files[one.id].here))
    names = {record.id: _name(record, files[record.id]) for record in ordered} | hosted.names(studio)

    def choose() -> None:
        actions.choose(studio, actions.chosen(studio).id)

    st.selectbox("Model", names, key="model", format_func=lambda name: names[name], on_change=choose, **KEEP)
    return studio.model(state.model)


def _name(record: ModelRecord, files: Inventory) -> str:
    """Its name, and how much must be downloaded first."""
    size = text.size(files.bytes_total) if files.bytes_total else ""
    return labels.label(record, "" if files.here else f"↓ {size}".strip())


def _plan(studio: Studio, record: ModelRecord) -> str:
    """Whether what the form asks for fits this machine, in one line."""
    request = either.without_prompt(state, record)
    try:
        plan = studio.plan(request) if request else None
    except DarkroomError:  # what the device cannot do is told when it is asked for
        plan = None
    return text.plan(plan)


def _why(studio: Studio, record: ModelRecord) -> str:
    """Why the default is the default; what would bring the better one is told under the model's facts."""
    choice = studio.default
    return f'<p class="card why">{text.plain(choice.reason)}</p>' if record.id == choice.record.id else ""


def _about(studio: Studio, record: ModelRecord) -> None:
    """Its size and terms, what it is good at, and its pitfalls, folded away."""
    choice = studio.default
    remedy = f'<p class="card">{text.plain(choice.remedy)}</p>' if record.id == choice.record.id else ""
    with st.expander(f"{text.parameters(record)} · {text.escaped(record.licence.name)}", type="compact", key="about"):
        notes = "".join(f"<li>{text.plain(note)}</li>" for note in record.notes)
        st.html(
            f'<div class="about"><p class="card">{text.plain(record.summary)}</p><p class="card">Licence: '
            f'{text.licence(record)}</p>{remedy}<ul class="notes">{notes}</ul></div>'
        )
