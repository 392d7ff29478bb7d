"""What the buttons about providers do: callbacks, which Streamlit runs before it draws the page again."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.studio import Studio

state = st.session_state
FIELDS = ("server_url", "server_name", "server_key")
"""Where the page has the address of a server of one's own, its name, and the variable with its key."""


def agree(studio: Studio, provider_id: str) -> None:
    """Note that prompts may go to a provider."""
    state.problem = None
    try:
        studio.hosted.acknowledge(provider_id)
    except DarkroomError as error:
        state.problem = error.info


def add(studio: Studio) -> None:
    """Add the server that the page names."""
    state.problem = None
    url, name, key_variable = (state[field].strip() for field in FIELDS)
    try:
        studio.hosted.add_server(url, name=name, key_variable=key_variable)
    except DarkroomError as error:
        state.problem = error.info
        return
    state.update(dict.fromkeys(FIELDS, ""))
    st.toast("The server and its models are known now.", icon=":material/cloud_done:")


def remove(studio: Studio, provider_id: str) -> None:
    """Take a server that was added out again; its pictures stay."""
    state.problem = None
    try:
        studio.hosted.remove_server(provider_id)
    except DarkroomError as error:
        state.problem = error.info
