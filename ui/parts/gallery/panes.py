"""Several pictures side by side, which are enlarged and moved together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from ui.parts import text
from ui.parts.gallery import grid

HERE = Path(__file__).parent
LETTERS = "ABCDEFGH"
"""Their names, from the left."""

_panes = st.components.v2.component(
    "darkroom_panes",
    html=(HERE / "panes.html").read_text(encoding="utf-8"),
    css=(HERE / "panes.css").read_text(encoding="utf-8"),
    js=(HERE / "panes.js").read_text(encoding="utf-8"),
)


def draw(images: Sequence[SavedImage]) -> None:
    """The pictures in the order in which they were selected."""
    items = tuple(  # for a list Streamlit would load pandas, to see whether it is a table
        {
            "id": image.id,
            "src": text.file_url(image.id),
            "small": text.thumbnail_url(image.id, grid.SIDE),
            "alt": f"{letter}: {image.recipe.prompt}, seed {image.seed}",
            "letter": letter,
            "shape": image.recipe.width / image.recipe.height,
        }
        for letter, image in zip(LETTERS, images, strict=False)
    )
    _panes(key="gallery-panes", data={"items": items})
