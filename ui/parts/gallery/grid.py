"""The grid: the pictures of one page in rows, each a tile that opens, can be selected, and shows its marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from ui.parts import text
from ui.parts.gallery import actions
from ui.parts.gallery.place import Place
from ui.parts.told import told

HERE = Path(__file__).parent
SIDE = 384
"""Pixels of a thumbnail: enough for a tile on a screen with two pixels to the point."""
KEY = "gallery-grid"

_grid = st.components.v2.component(
    "darkroom_grid",
    html=(HERE / "grid.html").read_text(encoding="utf-8"),
    css=(HERE / "grid.css").read_text(encoding="utf-8"),
    js=(HERE / "grid.js").read_text(encoding="utf-8"),
)


def draw(gallery: Gallery, here: Place, images: Sequence[SavedImage]) -> None:
    """The pictures, newest first; what happens to them goes to `actions`."""
    state = st.session_state
    data = {  # tuples, since for a list Streamlit would load pandas, to see whether it is a table
        "items": tuple(_tile(image) for image in images),
        "page": here.page,
        "selected": tuple(actions.selected()),
        "turn": state.get("gallery-turn", 0),
        "focus": state.get("gallery-last", ""),
        "marks": not here.query.deleted,
    }
    _grid(
        key=KEY,
        data=data,
        on_picked_change=_telling("picked", lambda image_id: actions.open_picture(here, image_id)),
        on_chosen_change=_telling("chosen", actions.select),
        on_hearted_change=_telling("hearted", lambda hearts: actions.heart(gallery, hearts)),
    )


def _telling(what: str, act: Callable[[Any], None]) -> Callable[[], None]:
    """A callback that hands on what the grid tells."""

    def react() -> None:
        value = told(KEY, what)
        if value is not None:
            act(value)

    return react


def _tile(image: SavedImage) -> dict[str, Any]:
    recipe = image.recipe
    return {
        "id": image.id,
        "src": text.thumbnail_url(image.id, SIDE),
        "alt": f"{recipe.prompt}, seed {image.seed}",
        "width": recipe.width,
        "height": recipe.height,
        "favourite": image.favourite,
        "rating": image.rating,
    }
