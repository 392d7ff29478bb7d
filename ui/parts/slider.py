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
    sources = text.file_url(first.id), text.file_url(second.id)
    draw(sources, labels, first.recipe.prompt, (first.recipe.width, first.recipe.height), key)


def draw(sources: tuple[str, str], labels: tuple[str, str], alt: str, size: tuple[int, int], key: str) -> None:
    """The pictures at two addresses, shown at `size` (width and height in pixels) as far as there is room."""
    width, height = size  # a list or a dictionary among the data would make Streamlit load pandas
    _slider(key=key, data={"sources": sources, "labels": labels, "alt": alt, "width": width, "height": height})
