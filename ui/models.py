"""Every checkpoint that is known: what it is, whether it fits here, its files, and the way to add one. And who else
makes pictures."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui import actions, shared
from ui.fields import KEEP
from ui.parts import problems, text
from ui.parts.models import adding, card, entry, hosted, token

ACROSS = 2

studio, client = shared.studio(), shared.client()
actions.begin(studio, client)
problems.begin()
studio.models.refresh()  # files may have been put into the weights folder meanwhile

st.html(Path(__file__).parent / "assets" / "models.css")
st.title("Models")

search, choice, ways = st.columns([4, 4, 4], vertical_alignment="center")
with search:
    words = st.text_input(
        "Search",
        key="models-search",
        placeholder="Name, family, licence …",
        icon=":material/search:",
        label_visibility="collapsed",
        **KEEP,
    )
with choice:
    choices = [*entry.CHOICES, *([entry.HOSTED] if studio.hosted.on else [])]
    chosen = st.segmented_control(
        "Show",
        choices,
        default=entry.ALL,
        key="models-shown",
        required=True,
        label_visibility="collapsed",
        **KEEP,
    )
with ways, st.container(horizontal=True):
    token.help_popover(studio)
    adding.popover(studio)

problems.elsewhere()
entries = [] if chosen == entry.HOSTED else entry.look(studio)
providers = hosted.wanted(studio, words) if chosen in (entry.ALL, entry.HOSTED) else []
shown = entry.wanted(entries, chosen, words)
if entries:
    told = f"{len(shown)} of {len(entries)}, on {studio.engine.hardware.best.label}."
    st.html(f'<p class="row" role="status">{text.plain(told)}</p>')
if not shown and not providers:
    st.info("No model is like that. Change the words or the choice above.", icon=":material/search_off:")
for begin in range(0, len(shown), ACROSS):
    for column, one in zip(st.columns(ACROSS), shown[begin : begin + ACROSS], strict=False):
        with column:
            card.draw(studio, one)
hosted.draw(studio, providers)
