"""The providers of hosted models: whether each can be asked, what to do if not, and what it offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from pipeline.hosted.ready import ProviderState
from pipeline.models.hosted import HostedModel
from pipeline.models.hosted_size import HostedSize
from pipeline.studio import Studio
from ui.parts import hosted_card, text
from ui.parts.models import servers

_CREATE = Path(__file__).parents[2] / "create.py"
_ACROSS = 2


class Offer(NamedTuple):
    """A provider, and models of it."""

    state: ProviderState
    models: Sequence[HostedModel]


def wanted(studio: Studio, words: str) -> list[Offer]:
    """The providers with their models in which all words occur; those without any are left out."""
    offers = [Offer(state, _wanted(studio, state, words)) for state in studio.hosted.providers]
    return [offer for offer in offers if offer.models]


def draw(studio: Studio, shown: Sequence[Offer]) -> None:
    """The section; nothing where there is nobody."""
    if not shown:
        return
    with st.container(key="hosted", gap="small"):
        st.html(
            '<h2 class="head">Hosted</h2><p class="row">Made by others, mostly with a key of yours. Prompts and the '
            "pictures to work from leave this machine for that, and nothing does before somebody here has agreed.</p>"
        )
        for begin in range(0, len(shown), _ACROSS):
            for column, offer in zip(st.columns(_ACROSS), shown[begin : begin + _ACROSS], strict=False):
                with column:
                    _provider(studio, *offer)


def _wanted(studio: Studio, state: ProviderState, words: str) -> list[HostedModel]:
    """The models of a provider in whose name, id or summary, or in that of the provider, all words occur."""

    def told(model: HostedModel) -> str:
        return f"{state.provider.name} {model.name} {model.id} {model.summary}".lower()

    own = [model for model in studio.hosted.models if model.provider == state.provider.id]
    return [model for model in own if all(word in told(model) for word in words.lower().split())]


def _provider(studio: Studio, state: ProviderState, models: Sequence[HostedModel]) -> None:
    """One provider as a card: what stands in its way, where it is, and its models."""
    known = state.provider
    with st.container(border=True, key=f"provider-{known.id}"):
        st.html(_heading(state) + _figures(state))
        if state.ready:
            hosted_card.agreement(studio, state)
        label = "1 model" if len(models) == 1 else f"{len(models)} models"
        with st.expander(label, type="compact", key=f"models-of-{known.id}", expanded=state.ready):
            for model in models:
                _model(model, usable=state.makes(model))
        servers.removal(studio, state)


def _heading(state: ProviderState) -> str:
    mark = '<span class="here">Ready</span>' if state.ready else "<span>Not ready</span>"
    why = "" if state.ready else f'<p class="summary">{text.plain(state.reason)} {text.linked(state.remedy)}</p>'
    return (
        f'<div class="model"><h3 class="head">{text.plain(state.provider.name)}</h3><div class="facts">{mark}</div>'
        f"</div>{why}"
    )


def _figures(state: ProviderState) -> str:
    known = state.provider
    facts = {
        "Address": text.plain(state.host),
        "Key": ", ".join(" or ".join(map(text.plain, names)) for names in known.keys) or "none is needed",
        "Keys are made at": text.linked(known.key_url) if state.ready else "",  # else that is said above
        "Terms": text.linked(known.terms_url),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts.items() if words)
    return f'<dl class="recipe">{rows}</dl>'


def _model(model: HostedModel, *, usable: bool) -> None:
    """One model: what it is, and the way to use it."""
    with st.container(key=f"model-{model.id}", gap="xsmall"):
        st.html(_about(model))
        if usable:
            st.page_link(_CREATE, label="Use", icon=":material/photo_camera:", query_params={"model": model.id})


def _about(model: HostedModel) -> str:
    options = (f"{name.replace('_', ' ')} ({', '.join(one.choices)})" for name, one in model.options.items())
    facts = {
        "Pictures": text.plain(_sizes(model.size)),
        "Options": text.plain(", ".join(options)),
        "Price": text.linked(model.price),
        "Offered": text.plain(_until(model)),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts.items() if words)
    notes = "".join(f"<li>{text.linked(note)}</li>" for note in model.notes)
    return (
        f'<div class="offer"><h4 class="stage">{text.plain(model.name)}</h4><p class="path">{text.plain(model.id)}</p>'
        f'<p class="card">{text.plain(model.summary)}</p><dl class="recipe">{rows}</dl>'
        + (f'<ul class="notes">{notes}</ul></div>' if notes else "</div>")
    )


def _sizes(size: HostedSize) -> str:
    """Which sizes it makes, in a few words."""
    if size.ratios:
        return f"{', '.join(size.ratios)}" + (f" at {', '.join(size.resolutions)}" if size.resolutions else "")
    if size.shapes:
        return ", ".join(f"{width} × {height}" for width, height in size.shapes)
    return f"sides of {size.min} to {size.max} pixels in steps of {size.multiple}"


def _until(model: HostedModel) -> str:
    if model.retires is None:
        return ""
    return model.retires_soon() or f"until {model.retires:%-d %B %Y}"
