"""A picture made again to see whether its recipe still makes it: under way, and then what came of it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pipeline.errors import NotFound
from pipeline.events import SavedImage
from pipeline.rerun.judge import Rerun
from pipeline.studio import Studio
from ui import shared
from ui.parts import text
from ui.parts.gallery import actions
from ui.parts.gallery.place import Place

SECONDS = 1.0


def button(studio: Studio, image: SavedImage) -> None:
    """What begins it; the job waits in the queue like all others of this browser."""
    found = _found(studio, image)
    st.button(
        "Make it again and compare",
        icon=":material/compare:",
        key="gallery-rerun",
        width="stretch",
        help="Whether its recipe still makes the same pixels here",
        disabled=found is not None and found.state == "making",
        on_click=actions.make_again,
        args=(studio, image.id, shared.client()),
    )


def draw(studio: Studio, here: Place, image: SavedImage) -> None:
    """What came of the last time; looks again every second while that is not known."""
    found = _found(studio, image)
    if found is None:
        return
    if found.state != "making":
        _verdict(here, image, found)
        return

    @st.fragment(run_every=SECONDS, key="rerun")
    def follow() -> None:
        now = _found(studio, image)
        if now is None or now.state != "making":
            st.rerun()
        st.html(f'<p class="verdict" role="status">{text.plain(now.sentence)}</p>')

    follow()


def _found(studio: Studio, image: SavedImage) -> Rerun | None:
    try:
        return studio.reruns.find(image.id)
    except NotFound:
        return None


def _verdict(here: Place, image: SavedImage, found: Rerun) -> None:
    changes = "".join(f"<li>{text.plain(change)}</li>" for change in found.changes)
    told = f"<ul>{changes}</ul>" if changes else ""
    st.html(f'<div class="verdict {found.state}" role="status">{text.plain(found.sentence)}{told}</div>')
    if found.again is not None:
        both = replace(here, image="", compared=(image.id, found.again.id))
        icon = ":material/splitscreen_right:"
        st.button("Look at both", icon=icon, key="gallery-both", on_click=actions.look_at_both, args=(both,))
