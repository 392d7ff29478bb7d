"""Prompts to start from, in groups: on the empty sheet, and always at hand beside the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pipeline.models.registry import Model
from ui import presets

POPOVER = "ideas"


def popover(record: Model) -> None:
    """The ideas behind a button; a click writes one into the prompt."""
    with st.popover("Ideas", icon=":material/lightbulb:", type="tertiary", key=POPOVER, on_change="rerun") as box:
        if box.open:
            groups("idea", record, _write)


def groups(name: str, record: Model, on_click: Callable[[str], None], places: Sequence[DeltaGenerator] = ()) -> None:
    """Each group with its prompts as buttons, below each other or in `places`, one for each group; `name` keeps the
    keys apart where ideas stand twice on a page."""
    for number, (group, prompts) in enumerate(presets.ideas(record).items()):
        with places[number] if places else st.container(), st.container(key=f"{name}-{group.lower()}", gap="xsmall"):
            st.html(f'<h3 class="group">{group}</h3>')
            for place, prompt in enumerate(prompts):
                st.button(prompt, key=f"{name}-{group}-{place}", on_click=on_click, args=(prompt,), width="stretch")


def _write(prompt: str) -> None:
    st.session_state.prompt = prompt
    st.session_state[POPOVER] = False
