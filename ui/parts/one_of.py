"""A choice between a few, side by side, of which one is always taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ui.fields import KEEP


def draw(
    label: str,
    options: Mapping[Any, str],
    key: str,
    *,
    then: Callable[[], object] | None = None,
    labelled: bool = True,
    wide: bool = True,
) -> None:
    """The choice between `options`, values with their names, for the field `key`; `then` is called when it changes.

    A browser that has not heard yet what is taken, while one page follows another, sends the field empty, although
    Streamlit is told that one is required. What was drawn last is put back then.
    """
    drawn = st.session_state[key]

    def changed() -> None:
        if st.session_state[key] is None:
            st.session_state[key] = drawn
        elif then is not None:
            then()

    st.segmented_control(
        label,
        list(options),
        key=key,
        format_func=lambda value: options[value],
        required=True,
        on_change=changed,
        width="stretch" if wide else "content",
        label_visibility="visible" if labelled else "collapsed",
        **KEEP,
    )
