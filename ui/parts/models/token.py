"""Gated models and the Hugging Face token: whether one is set, whose it is, and how to get one. It is never shown."""

from __future__ import annotations

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.models.files import hub
from pipeline.studio import Studio
from ui.parts import text

state = st.session_state

_STEPS = """
1. Log in at huggingface.co, open the page of the model and accept its licence.
2. Make a token with the right to **read** at huggingface.co/settings/tokens. A fine-grained one also needs
   “read access to contents of all public gated repos you can access”.
3. Give it to the studio in the shell that starts it, and start it again:
"""


def help_popover(studio: Studio) -> None:
    """The button that opens the help."""
    with st.popover("Gated models", icon=":material/key:", width="stretch", key="token-help"):
        if hub.is_offline():
            st.write("HF_HUB_OFFLINE is set: nothing is downloaded. Unset it to fetch a model.")
        elif hub.has_token():
            _with_token(studio)
        else:
            st.write("**No Hugging Face token is set.** Models marked “Gated” need one.")
            _steps()


def _with_token(studio: Studio) -> None:
    st.write("**A Hugging Face token is set.** It stays in this computer's environment and is never shown.")
    st.button("Whose is it?", icon=":material/person_search:", key="whose", on_click=_ask, args=(studio,))
    with st.container():
        if told := state.get("account"):
            st.html(f'<p class="row" role="status">{text.plain(told)}</p>')
    with st.expander("Set another one", type="compact", key="another-token"):
        _steps()


def _steps() -> None:
    st.markdown(_STEPS)
    st.code("export HF_TOKEN=hf_…\nmake run", language="sh")
    st.caption("Or once and for all, with Hugging Face's own command: `.venv/bin/hf auth login`")


def _ask(studio: Studio) -> None:
    try:
        state.account = f"The hub knows it: {studio.models.account()}."
    except DarkroomError as error:
        state.account = error.info.sentence
