"""What one should know of a hosted model before it is asked: who makes its pictures, for how much, and what leaves this
machine for that. Nobody is asked before somebody has agreed."""

from __future__ import annotations

import streamlit as st

from pipeline.hosted.ready import ProviderState
from pipeline.models.hosted import HostedModel
from pipeline.studio import Studio
from ui import hosted_actions
from ui.parts import text


def draw(studio: Studio, model: HostedModel) -> None:
    """Below the name of the model that is chosen."""
    provider = studio.hosted.state(studio.hosted.provider(model))
    made = f"Made by {text.plain(provider.provider.name)} at {text.plain(provider.host)}."
    st.html(f'<p class="card made-by">{made} {text.linked(model.price)}</p>')
    soon = st.container()
    if told := model.retires_soon():
        soon.html(f'<p class="tokens over" role="status">{text.plain(told)}</p>')
    agreement(studio, provider)
    _about(model)


def agreement(studio: Studio, provider: ProviderState) -> None:
    """What leaves this machine, and the button that says yes to it; afterwards one quiet line."""
    name = provider.provider.name
    with st.container(key=f"agreement-{provider.provider.id}", gap="xsmall"):
        if provider.acknowledged:
            st.html(f'<p class="card">Your prompt and pictures go to {text.plain(name)}.{_terms(provider)}</p>')
            return
        st.html(
            '<div class="leaves" role="note"><p><b>Your prompt and pictures leave this machine:</b> they are sent to '
            f"{text.plain(name)} ({text.plain(provider.host)}).{_terms(provider)}</p></div>"
        )
        st.button(
            f"Agree to send them to {text.escaped(name)}",
            icon=":material/send:",
            key=f"agree-{provider.provider.id}",
            width="stretch",
            on_click=hosted_actions.agree,
            args=(studio, provider.provider.id),
        )


def _about(model: HostedModel) -> None:
    """What it is good at, and its pitfalls, folded away."""
    notes = "".join(f"<li>{text.linked(note)}</li>" for note in model.notes)
    with st.expander("About this model", type="compact", key="about"):
        summary = f'<p class="card">{text.plain(model.summary)}</p>'
        st.html(f'<div class="about">{summary}<ul class="notes">{notes}</ul></div>')


def not_yet() -> None:
    """Why the button below is not to be pressed."""
    st.html('<p class="tokens over" role="status">Agree above to what leaves this machine.</p>')


def _terms(provider: ProviderState) -> str:
    """Where it stands what becomes of them there."""
    url = text.plain(provider.provider.terms_url)
    return f' <a href="{url}" target="_blank" rel="noopener">What becomes of them there</a>' if url else ""
