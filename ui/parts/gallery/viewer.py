"""One picture large, with the ways to the next: arrows on the picture, on the keyboard, and a wipe on a phone."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from ui.parts import text
from ui.parts.gallery import actions, grid
from ui.parts.gallery.neighbours import Neighbours
from ui.parts.gallery.place import Place

HERE = Path(__file__).parent
KEY = "gallery-viewer"

_viewer = st.components.v2.component(
    "darkroom_viewer",
    html=(HERE / "viewer.html").read_text(encoding="utf-8"),
    css=(HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(HERE / "viewer.js").read_text(encoding="utf-8"),
)


def draw(here: Place, image: SavedImage, ways: Neighbours) -> None:
    """The picture itself, from our own route."""
    state = st.session_state
    places = {"newer": ways.newer, "older": ways.older}
    data = {  # no list or dictionary in it: Streamlit would load pandas, to see whether it is a table
        "src": text.file_url(image.id),
        "small": text.thumbnail_url(image.id, grid.SIDE),
        "alt": image.recipe.prompt,
        "width": image.recipe.width,
        "height": image.recipe.height,
        "clear": image.recipe.hosted is not None,
        "ahead": tuple((way, text.file_url(place.image)) for way, place in places.items() if place),
    }

    def went() -> None:
        place = places.get(state[KEY].went)
        if place:
            actions.open_picture(place, place.image)

    _viewer(key=KEY, data=data, on_went_change=went, on_closed_change=lambda: actions.close_picture(here))
