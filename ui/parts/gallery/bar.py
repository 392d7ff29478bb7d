"""The bar at the foot of the page: what the last click led to, and what can be done with the pictures selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pipeline.events import SavedImage
from pipeline.gallery import Gallery
from pipeline.gallery.query import MAX_ARCHIVE
from ui.actions import Marks
from ui.parts import text
from ui.parts.gallery import actions
from ui.parts.gallery.place import MAX_COMPARED, Place

state = st.session_state
MARKS: dict[str, Marks] = {
    "♥ Favourite": {"favourite": True},
    "♡ No favourite": {"favourite": False},
    **{"★" * stars or "No stars": Marks(rating=stars) for stars in range(5, -1, -1)},
}


def draw(gallery: Gallery, here: Place, shown: Sequence[SavedImage]) -> None:
    """Two lines that come and go at the foot of the window, without moving anything else."""
    with st.container(key="gallery-bar", gap="xsmall"):
        with st.container():
            _notice(gallery, here)
        with st.container():
            if shown and actions.selected():
                _selection(gallery, here, shown, actions.selected())


def _notice(gallery: Gallery, here: Place) -> None:
    notice = actions.notice()
    if notice is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="gallery-notice"):
        role, style = ("alert", "problem") if notice.wrong else ("status", "row")
        st.html(f'<p class="{style}" role="{role}">{text.plain(notice.words)}</p>', width="stretch")
        if notice.undo:
            undo = {"gallery": gallery, "image_ids": notice.undo, "then": here}
            st.button("Undo", icon=":material/undo:", key="gallery-undo", on_click=actions.restore, kwargs=undo)
        st.button("Dismiss", icon=":material/close:", key="gallery-dismiss", type="tertiary", on_click=actions.dismiss)


def _selection(gallery: Gallery, here: Place, shown: Sequence[SavedImage], chosen: tuple[str, ...]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="gallery-selection"):
        st.html(f'<p class="row" role="status">{len(chosen):,} selected</p>', width="stretch")
        whole = tuple(dict.fromkeys((*chosen, *(image.id for image in shown))))
        if len(whole) > len(chosen):
            _choice("Whole page", ":material/select_all:", "gallery-whole", whole)
        _choice("Select none", ":material/deselect:", "gallery-none", ())
        if here.query.deleted:
            back = {"gallery": gallery, "image_ids": chosen, "then": here}
            icon = ":material/restore_from_trash:"
            st.button("Restore", icon=icon, key="gallery-restore", on_click=actions.restore, kwargs=back)
        else:
            _kept(gallery, here, chosen)


def _choice(label: str, icon: str, key: str, chosen: tuple[str, ...]) -> None:
    st.button(label, icon=icon, key=key, type="tertiary", on_click=actions.select, args=(chosen,))


def _kept(gallery: Gallery, here: Place, chosen: tuple[str, ...]) -> None:
    """What can be done with pictures that are not deleted."""

    def mark() -> None:
        actions.mark(gallery, chosen, **MARKS[state["gallery-mark"]])

    beside = replace(here, compared=chosen)
    few = 2 <= len(chosen) <= MAX_COMPARED
    st.button(
        "Compare",
        icon=":material/compare:",
        key="gallery-compare",
        disabled=not few,
        help=None if few else f"Select two to {MAX_COMPARED} pictures to see them side by side.",
        on_click=actions.go,
        args=(beside,),
    )
    st.menu_button("Mark", list(MARKS), icon=":material/favorite:", key="gallery-mark", on_click=mark)
    st.link_button(
        "Download ZIP",
        text.archive_url(chosen),
        icon=":material/folder_zip:",
        key="gallery-zip",
        disabled=len(chosen) > MAX_ARCHIVE,
        help=f"Select {MAX_ARCHIVE:,} at most." if len(chosen) > MAX_ARCHIVE else None,
    )
    gone = {"gallery": gallery, "image_ids": chosen, "then": here}
    st.button("Delete", icon=":material/delete:", key="gallery-delete", on_click=actions.delete, kwargs=gone)
