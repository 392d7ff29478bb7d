"""Contact sheets: rows of small pictures, of which a click shows one large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.studio import Studio
from ui.parts import text
from ui.parts.told import told

HERE = Path(__file__).parent
RECENT = 12

_sheet = st.components.v2.component(
    "darkroom_sheet",
    html='<div class="sheet" role="group"></div>',
    css=(HERE / "contact_sheet.css").read_text(encoding="utf-8"),
    js=(HERE / "contact_sheet.js").read_text(encoding="utf-8"),
)


def of_job(images: Sequence[SavedImage], shown: SavedImage) -> None:
    """The pictures of one job, when there are several."""
    if len(images) > 1:
        _draw("job-sheet", "few", "Pictures of this job", images, shown)


def family(gallery: Gallery, image: SavedImage) -> None:
    """The pictures that this one was made from, with what was done to each, and those that were made from it."""
    before = gallery.ancestors(image)
    _row("Made from", "parent-sheet", [one for one in before if not one.deleted])
    if before:
        deeds = " → ".join(text.deed(one.recipe) for one in (*before, image))
        st.html(f'<p class="card">{text.plain(deeds)}</p>')
    _row("Made from this", "children-sheet", gallery.children(image)[-RECENT:])


def _row(label: str, key: str, images: Sequence[SavedImage]) -> None:
    if images:
        st.html(f'<h3 class="head small">{label}</h3>')
        _draw(key, "few", label, images, None)


def recent(studio: Studio, shown: SavedImage | None) -> None:
    """The newest pictures of the studio."""
    images = studio.gallery.recent(RECENT)
    if images:
        st.html('<h3 class="head">Recent pictures</h3>')
        _draw("recent-sheet", "many", "Recent pictures", images, shown)


def _draw(key: str, width: str, label: str, images: Sequence[SavedImage], shown: SavedImage | None) -> None:
    items = tuple(  # for a list Streamlit would load pandas, to see whether it is a table
        {"id": image.id, "src": text.thumbnail_url(image.id), "alt": f"{image.recipe.prompt}, seed {image.seed}"}
        for image in images
    )

    def pick() -> None:
        if picked := told(key, "picked"):
            st.query_params["image"] = picked

    data = {"items": items, "shown": shown.id if shown else "", "label": label, "width": width}
    _sheet(key=key, data=data, on_picked_change=pick)
