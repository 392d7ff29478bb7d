"""Two pictures on top of each other, with a handle that uncovers the one or the other."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from ui.parts import text

HERE = Path(__file__).parent

_slider = st.components.v2.component(
    "darkroom_slider",
    html='<div class="slider"><img class="under"><img class="over"><p class="name left"></p><p class="name right"></p>'
    '<div class="handle" role="slider" tabindex="0" aria-valuemin="0" aria-valuemax="100"></div></div>',
    css=(HERE / "slider.css").read_text(encoding="utf-8"),
    js=(HERE / "slider.js").read_text(encoding="utf-8"),
)


def show(first: SavedImage, second: SavedImage, labels: tuple[str, str], key: str) -> None:
    """`first` on the left of the handle and `second` on its right, as large as `first`, each with its label."""
    data = {
        "sources": (text.file_url(first.id), text.file_url(second.id)),  # a list would make Streamlit load pandas
        "labels": labels,
        "alt": first.recipe.prompt,
        "width": first.recipe.width,
        "height": first.recipe.height,
    }
    _slider(key=key, data=data)
