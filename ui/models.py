"""Every checkpoint that is known: what it is, whether it fits here, its files, and the way to add one."""

from __future__ import annotations

import streamlit as st

from ui import actions, shared
from ui.parts import model_row, problems, text

studio, client = shared.studio(), shared.client()
actions.begin(studio, client)
problems.begin()
studio.models.refresh()  # files may have been put into the weights folder meanwhile

st.title("Models")
left, right = st.columns([3, 1], vertical_alignment="bottom")
with left:
    wanted = st.segmented_control(
        "Show", model_row.CHOICES, default=model_row.CHOICES[0], key="models-shown", label_visibility="collapsed"
    )
with right, st.popover("Add a model", icon=":material/add:", width="stretch"):
    st.text_input(
        "Hugging Face repository",
        key="source",
        placeholder="owner/name",
        help="Of a family that is known here. Folders and files go into the weights folder, or are added in the shell.",
    )
    st.button("Add", key="add", on_click=actions.add, args=(studio,), width="stretch")
    problems.under("source")

problems.elsewhere()
plans = {record.id: model_row.plan_of(studio, record) for record in studio.models.records}
shown = [record for record in studio.models.records if model_row.is_wanted(studio, record, plans[record.id], wanted)]
st.html(f'<p class="row">{text.plain(f"{len(shown)} of {len(plans)}, on {studio.engine.hardware.best.label}.")}</p>')
for record in shown:
    model_row.draw(studio, record, plans[record.id])
