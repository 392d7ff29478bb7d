"""The fields of a hosted model: its sizes, its own options, and a seed if its provider takes one; nothing else, but for
one of another Darkroom, which has those of a model that runs here."""

from __future__ import annotations

import streamlit as st

from pipeline.events import SavedImage
from pipeline.models.hosted import HostedModel, Option
from ui import hosted
from ui.fields import KEEP
from ui.parts import problems, sampling, seed, size

state = st.session_state


def draw(model: HostedModel, picture: SavedImage | None) -> None:
    """What a provider leaves to choose."""
    _size(model)
    with st.container(key="options", gap="xsmall"):
        for name, option in model.options.items():
            _option(name, option)
    problems.under("options")
    sampling.steps(model)
    sampling.guidance(model)
    if model.seed:
        shown = picture if picture and picture.recipe.model == model.id else None
        seed.draw(shown, seed.SAME if model.darkroom else seed.SENT)
        problems.under("seed")


def _size(model: HostedModel) -> None:
    sizes = hosted.sizes(model)
    free = not model.size.offered
    if len(sizes) == 1 and not free:
        size.only(next(iter(sizes.values())))
    else:
        size.draw(sizes, model.size, hosted.turned(state, model), free=free)


def _option(name: str, option: Option) -> None:
    """One setting; a choice that another model left in the form becomes this one's own."""
    key = hosted.option_key(name)
    if state.get(key) not in option.choices:
        state[key] = option.default
    label = name.replace("_", " ").capitalize()
    st.selectbox(label, option.choices, key=key, format_func=str.capitalize, help=option.summary, **KEEP)
