"""One model among many: what it is, whose terms it has, whether it fits, and what can be done with its files."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.models.planning.plan import Plan
from pipeline.studio import Studio
from ui import actions
from ui.parts import text, weights
from ui.parts.models import check
from ui.parts.models.entry import Entry

_CREATE = Path(__file__).parents[2] / "create.py"


def draw(studio: Studio, entry: Entry) -> None:
    """The model as one card."""
    model = entry.record.id
    with st.container(border=True, key=f"model-{model}", height="stretch"):
        st.html(_heading(entry))
        st.html(text.plan(entry.plan) + _figures(entry))
        _notes(entry)
        weights.draw(studio, entry.record, entry.files)
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"ways-{model}"):
            st.page_link(_CREATE, label="Use", icon=":material/photo_camera:", query_params={"model": model})
            check.button(studio, model)
            _removal(studio, entry)
        check.result(studio, model)


def _heading(entry: Entry) -> str:
    record = entry.record
    marks = [("here", "Here")] if entry.files.here else []
    marks += [("", "The default")] if entry.is_default else []
    marks += [("gated", "Gated")] if record.licence.gated else []
    chips = "".join(f'<span class="{kind}">{words}</span>' for kind, words in marks)
    return (
        f'<div class="model"><h3 class="head">{text.plain(record.name)}</h3><div class="facts">{chips}</div></div>'
        f'<p class="path">{text.plain(record.id)}</p><p class="summary">{text.plain(record.summary)}</p>'
    )


def _figures(entry: Entry) -> str:
    record, plan = entry.record, entry.plan
    facts = {
        "Model": f"{text.parameters(record)}, {text.plain(record.family)}",
        "Licence": text.licence(record),
        "Commercial use": text.plain(record.licence.commercial),
        "Files": text.plain(_files(entry)),
    }
    if plan is not None and plan.weight_bytes:
        facts["In memory"] = f"{text.size(plan.weight_bytes)} of weights, {_held(plan)}"
    rows = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts.items())
    return f'<dl class="recipe">{rows}</dl>'


def _files(entry: Entry) -> str:
    """What is on disk, and what would have to come."""
    files, plan = entry.files, entry.plan
    if files.here:
        return f"{text.size(files.bytes_here)} on disk"
    missing = plan.download_bytes if plan is not None else files.bytes_total
    told = f"{text.size(missing)} to download" if missing else "to download"
    begun = f", {text.size(files.bytes_here)} are here" if files.bytes_here else ""
    room = f"; {text.size(plan.disk_free_bytes)} free" if plan is not None and plan.disk_free_bytes else ""
    return told + begun + room


def _held(plan: Plan) -> str:
    return {"none": plan.dtype, "int8": "in eight bits"}.get(plan.quantization, "in four bits")


def _notes(entry: Entry) -> None:
    if not entry.record.notes:
        return
    with st.expander("Good to know", type="compact", key=f"notes-{entry.record.id}"):
        st.html(f'<ul class="notes">{"".join(f"<li>{text.plain(note)}</li>" for note in entry.record.notes)}</ul>')


def _removal(studio: Studio, entry: Entry) -> None:
    """Deleting what was downloaded, after a question; and forgetting what was added."""
    model = entry.record.id
    if entry.files.bytes_here and studio.models.is_from_hub(model):
        with st.popover("Delete files", icon=":material/delete:", type="tertiary", key=f"delete-{model}"):
            st.write(f"{text.size(entry.files.bytes_here)} can be downloaded again. Pictures stay.")
            st.button("Delete", key=f"deleted-{model}", on_click=actions.remove_files, args=(studio, model))
    if studio.models.is_added(model):
        st.button(
            "Forget",
            icon=":material/playlist_remove:",
            type="tertiary",
            key=f"forget-{model}",
            help="Take it out of this list; its files stay.",
            on_click=actions.forget,
            args=(studio, model),
        )
