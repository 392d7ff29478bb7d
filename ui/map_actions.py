"""What the buttons about maps do: callbacks, which Streamlit runs before it draws the page again."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pipeline.errors import DarkroomError
from pipeline.events import SavedImage
from pipeline.studio import Studio
from ui import actions, form, maps

state = st.session_state


def follow_edges(studio: Studio, image: SavedImage) -> None:
    """Follow the edges of a picture of the studio, with its own settings to begin with."""
    actions.fill(studio, image.recipe.to_request(**actions.ALONE, strength=None, upscale=None, seed=-1))
    if state.problem is None:
        take_map(studio, image)


def take_map(studio: Studio, source: bytes | SavedImage) -> None:
    """Follow one more map: the picture in a file, or one of the studio, or its edges."""
    state.problem = None
    nets = maps.offered(studio.models.controlnets, actions.chosen(studio))
    if not nets:  # another model was chosen meanwhile, and the page says why there is none
        return
    try:
        taken = studio.desk.take(source)
        state.update(maps.added(state, nets[0], taken.id, taken.notes))
        draw_map(studio, state.maps[-1])
    except DarkroomError as error:
        state.problem = error.info.model_copy(update={"field": "controls"})


def draw_map(studio: Studio, number: int) -> None:
    """Make a map of the picture that it comes from: its edges at the size of the form, or the picture itself."""
    field, size = partial(maps.key, number=number), form.size_of(state)
    state[field("size")], state[field("image")] = size, state[field("picture")]
    if state[field("edges")]:
        try:
            picture, (low, high) = studio.inputs.get(state[field("picture")]), state[field("between")]
            state[field("image")] = studio.desk.take_edges(picture, low, high, size).id
        except DarkroomError as error:
            state.problem = error.info.model_copy(update={"field": "controls"})


def drop_map(number: int) -> None:
    """Follow a map no more."""
    state.problem = None
    state.maps = tuple(other for other in state.maps if other != number)
