"""The size of the picture: one of several, or one's own within limits, and turned round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pipeline.models.size import SizeRule
from ui import actions, form
from ui.fields import KEEP
from ui.form import Size
from ui.parts import problems

state = st.session_state


def draw(sizes: Mapping[Size, str], rule: SizeRule, turned: dict[str, Any] | None, *, free: bool) -> None:
    """The sizes with their names, and, where others are possible (`free`), fields for one's own. `turned` is what the
    button that exchanges width and height writes into the form; None where there is nothing to exchange."""
    options = dict(sizes) | ({form.CUSTOM: "Another size"} if free else {})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall", key="size-row", wrap=False):
        st.selectbox("Size", options, key="size", format_func=lambda size: options[size], **KEEP)
        st.button(
            "Swap width and height",
            icon=":material/swap_horiz:",
            key="swap",
            help="Swap width and height",
            disabled=turned is None,
            on_click=actions.turn,
            args=(turned,),
        )
    place = st.container()
    if state.size == form.CUSTOM:
        across, down = place.columns(2)
        across.number_input("Width", rule.min, rule.max, step=rule.multiple, key="width", **KEEP)
        down.number_input("Height", rule.min, rule.max, step=rule.multiple, key="height", **KEEP)
    problems.under("width", "height")


def only(name: str) -> None:
    """The size of a model that makes no other."""
    st.html(f'<p class="fixed"><span>Size</span><span>{name}</span></p>')
