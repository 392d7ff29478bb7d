"""Servers of one's own choice that speak as OpenAI does: the way to add one, and to take it out again."""

from __future__ import annotations

import streamlit as st

from pipeline.hosted.ready import ProviderState
from pipeline.studio import Studio
from ui import hosted_actions
from ui.parts import problems

_ADAPTER = "compatible"
"""Of the providers that somebody here has added."""


def form(studio: Studio) -> None:
    """The fields for one."""
    st.write("Another Darkroom, or any server that speaks as OpenAI does. It is asked for its models.")
    st.text_input("Address", key="server_url", placeholder="http://192.168.1.5:8501", help="Its host and port.")
    problems.under("url")
    st.text_input("Name", key="server_name", placeholder="Its host", max_chars=60)
    problems.under("name")
    advice = "The name of the environment variable that has its key, never the key itself."
    st.text_input("Variable with its key", key="server_key", placeholder="None", help=advice, max_chars=60)
    problems.under("key_variable")
    st.button("Ask it and add it", key="add-server", width="stretch", on_click=hosted_actions.add, args=(studio,))


def removal(studio: Studio, state: ProviderState) -> None:
    """The button that takes a server out; nothing for the providers that everybody has."""
    if state.provider.adapter != _ADAPTER:
        return
    st.button(
        "Forget",
        icon=":material/playlist_remove:",
        type="tertiary",
        key=f"forget-server-{state.provider.id}",
        help="Take it and its models out of this list; its pictures stay.",
        on_click=hosted_actions.remove,
        args=(studio, state.provider.id),
    )
